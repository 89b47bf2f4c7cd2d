//! How a text falls into commands, in one pass over it.

use super::{
    Assigned, Assignment, Body, DEPTH_MAX, Item, Kind, List, Node, Part, Redirect, Word, between_quotes, name_bytes, plain,
    word::assigns,
};
use crate::shell::words::Joint;
use alloc::{rc::Rc, vec::Vec};

/// Words that begin or end what other commands stand in.
const ENDERS: [&[u8]; 8] = [b"then", b"else", b"elif", b"fi", b"do", b"done", b"esac", b"}"];
/// Words that begin what other commands stand in.
const OPENERS: [&[u8]; 8] = [b"{", b"if", b"while", b"until", b"for", b"case", b"function", b"[["];
/// Operators, the longer ones first.
const OPERATORS: [&[u8]; 21] = [
    b"<<<", b"<<-", b"&>>", b"&&", b"||", b";;", b"|&", b"&>", b"<<", b"<&", b"<>", b">>", b">&", b">|", b"&", b"|", b";", b"(",
    b")", b"<", b">",
];

/// Why a text is no commands.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::shell) enum Trouble {
    /// This stands where it cannot.
    Unexpected(Vec<u8>),
    /// This quote or parenthesis is not closed.
    Unclosed(u8),
    /// More must come.
    End,
    /// It is more than is read.
    Bound,
}

/// A text, as far as it is read.
pub(in crate::shell) struct Text<'a> {
    text: &'a [u8],
    at: usize,
    token: Option<Token>,
    /// Where what was read last begins.
    token_at: usize,
    /// Where the text of the next here-document begins.
    here: Option<usize>,
    line: u32,
    depth: u8,
    pub(super) inner: u8,
    pub(super) pieces: usize,
    /// The end of the text ends a here-document, too.
    pub(in crate::shell) is_whole: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(Word),
    Operator(&'static [u8]),
    /// `2>` and the like: the number before the operator.
    Numbered(u8, &'static [u8]),
    Line,
    End,
}

impl<'a> Text<'a> {
    pub(in crate::shell) const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, token: None, token_at: 0, here: None, line: 1, depth: 0, inner: 0, pieces: 0, is_whole: true }
    }

    /// Which line is read, from 1 on.
    pub(in crate::shell) const fn line(&self) -> u32 {
        self.line
    }

    /// The line that stands around what was read last.
    pub(in crate::shell) fn around(&self) -> &'a [u8] {
        let at = self.at.min(self.text.len());
        let before = &self.text[..at];
        let before = before.strip_suffix(b"\n").unwrap_or(before);
        let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        let line = &self.text[start..];
        &line[..memchr::memchr(b'\n', line).unwrap_or(line.len())]
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn skip(&mut self, bytes: usize) {
        let to = (self.at + bytes).min(self.text.len());
        self.line += u32::try_from(memchr::memchr_iter(b'\n', &self.text[self.at..to]).count()).unwrap_or_default();
        self.at = to;
    }

    /// The commands up to the end of a line, or `None` at the text's end.
    pub(in crate::shell) fn next_line(&mut self) -> Result<Option<List>, Trouble> {
        while *self.peek()? == Token::Line {
            self.token = None;
        }
        if *self.peek()? == Token::End {
            return Ok(None);
        }
        let mut list = List::default();
        let read = self.items(&mut list, true);
        match read {
            Ok(()) => {}
            // What was whole before is run; what is behind is not.
            Err(Trouble::Bound) => {
                self.at = self.text.len();
                (self.token, self.pieces) = (None, 0);
                return Ok(Some(list));
            }
            Err(trouble) => return Err(trouble),
        }
        match self.peek()? {
            Token::Line | Token::End => self.token = None,
            other => return Err(unexpected(other)),
        }
        Ok(Some(list))
    }

    fn peek(&mut self) -> Result<&Token, Trouble> {
        let token = match self.token.take() {
            Some(token) => token,
            None => self.read()?,
        };
        Ok(self.token.insert(token))
    }

    fn take(&mut self) -> Result<Token, Trouble> {
        self.peek()?;
        Ok(self.token.take().unwrap_or(Token::End))
    }

    fn read(&mut self) -> Result<Token, Trouble> {
        loop {
            match self.rest() {
                [b' ' | b'\t' | b'\r', ..] => self.skip(1),
                [b'\\', b'\n', ..] => self.skip(2),
                [b'#', ..] => {
                    let rest = self.rest();
                    self.skip(memchr::memchr(b'\n', rest).unwrap_or(rest.len()));
                }
                _ => break,
            }
        }
        self.counted()?;
        self.token_at = self.at;
        let rest = self.rest();
        match rest {
            [] => return Ok(Token::End),
            [b'<' | b'>', b'(', ..] => return self.word().map(Token::Word),
            [b'\n', ..] => {
                let to = self.here.take().map_or(1, |here| here.saturating_sub(self.at).max(1));
                self.skip(to);
                return Ok(Token::Line);
            }
            [digit @ b'0'..=b'9', behind @ ..] if matches!(behind.first(), Some(b'<' | b'>')) => {
                self.skip(1);
                return Ok(Token::Numbered(digit - b'0', self.operator().unwrap_or_default()));
            }
            _ => {}
        }
        match self.operator() {
            Some(operator) => Ok(Token::Operator(operator)),
            None => self.word().map(Token::Word),
        }
    }

    fn operator(&mut self) -> Option<&'static [u8]> {
        let found = OPERATORS.into_iter().find(|operator| self.rest().starts_with(operator))?;
        self.skip(found.len());
        Some(found)
    }

    fn lines(&mut self) -> Result<(), Trouble> {
        while *self.peek()? == Token::Line {
            self.token = None;
        }
        Ok(())
    }

    /// Pipelines up to what ends them; of one line, or of several.
    fn items(&mut self, list: &mut List, is_line: bool) -> Result<(), Trouble> {
        let mut joint = Joint::Then;
        loop {
            if !is_line || matches!(joint, Joint::And | Joint::Or) {
                self.lines()?;
            }
            match self.peek()? {
                Token::Line | Token::End if joint == Joint::Then => return Ok(()),
                Token::End => return Err(Trouble::End),
                Token::Operator(b")" | b";;") if joint == Joint::Then && !is_line => return Ok(()),
                Token::Word(word) if joint == Joint::Then && plain(word).is_some_and(|word| ENDERS.contains(&word)) => {
                    return if is_line { Err(unexpected(&self.take()?)) } else { Ok(()) };
                }
                _ => {}
            }
            let mut item = self.pipeline(joint)?;
            joint = Joint::Then;
            match self.peek()? {
                Token::Operator(operator @ (b";" | b"&" | b"&&" | b"||")) => {
                    item.in_background = *operator == b"&";
                    joint = match *operator {
                        b"&&" => Joint::And,
                        b"||" => Joint::Or,
                        _ => Joint::Then,
                    };
                    self.token = None;
                    list.0.push(item);
                }
                Token::Line if !is_line => list.0.push(item),
                _ => {
                    list.0.push(item);
                    return Ok(());
                }
            }
        }
    }

    fn pipeline(&mut self, joint: Joint) -> Result<Item, Trouble> {
        let mut item = Item { joint, is_negated: false, in_background: false, pipeline: Vec::new() };
        while matches!(self.peek()?, Token::Word(word) if plain(word) == Some(b"!")) {
            self.token = None;
            item.is_negated = !item.is_negated;
        }
        loop {
            let mut node = self.command()?;
            let operator = match self.peek()? {
                Token::Operator(operator @ (b"|" | b"|&")) => *operator,
                _ => {
                    item.pipeline.push(node);
                    return Ok(item);
                }
            };
            self.token = None;
            if operator == b"|&" {
                let word = alloc::vec![Part::Plain(b"1".to_vec())];
                node.redirects.push(Redirect { number: 2, kind: Kind::Same, word });
            }
            item.pipeline.push(node);
            self.lines()?;
        }
    }

    fn command(&mut self) -> Result<Node, Trouble> {
        self.counted()?;
        let line = self.line;
        let opens = match self.peek()? {
            Token::Operator(b"(") => Some(&b"("[..]),
            Token::Word(word) => plain(word).and_then(|word| OPENERS.into_iter().find(|opener| *opener == word)),
            Token::End => return Err(Trouble::End),
            Token::Line => return Err(Trouble::Unexpected(b"newline".to_vec())),
            _ => None,
        };
        let Some(opens) = opens else { return self.simple(line) };
        self.token = None;
        if self.depth >= DEPTH_MAX {
            return Err(Trouble::Bound);
        }
        self.depth += 1;
        let body = self.compound(opens)?;
        self.depth -= 1;
        let mut redirects = Vec::new();
        while self.redirect(&mut redirects)? {}
        Ok(Node { body, redirects, line })
    }

    fn compound(&mut self, opens: &[u8]) -> Result<Body, Trouble> {
        Ok(match opens {
            b"(" if self.rest().starts_with(b"(") => self.sum()?,
            b"(" => {
                let list = self.list()?;
                self.expect_operator(b")")?;
                Body::Inner(list)
            }
            b"{" => Body::Group(self.list_until(b"}")?),
            b"if" => self.if_arms()?,
            b"while" | b"until" => {
                let condition = self.list_until(b"do")?;
                Body::Loop { condition, is_until: opens == b"until", body: self.list_until(b"done")? }
            }
            b"for" => self.for_words()?,
            b"case" => self.case_arms()?,
            b"[[" => self.double_brackets()?,
            _ => {
                let Token::Word(word) = self.take()? else { return Err(Trouble::End) };
                if *self.peek()? == Token::Operator(b"(") {
                    self.token = None;
                    self.expect_operator(b")")?;
                }
                self.function(plain(&word).unwrap_or_default().to_vec())?
            }
        })
    }

    /// Commands of which there must be one at least.
    fn list(&mut self) -> Result<List, Trouble> {
        let mut list = List::default();
        self.items(&mut list, false)?;
        if list.0.is_empty() {
            return match self.take()? {
                Token::End => Err(Trouble::End),
                token => Err(unexpected(&token)),
            };
        }
        Ok(list)
    }

    fn list_until(&mut self, end: &[u8]) -> Result<List, Trouble> {
        let list = self.list()?;
        self.expect(end)?;
        Ok(list)
    }

    fn expect(&mut self, wanted: &[u8]) -> Result<(), Trouble> {
        self.lines()?;
        match self.take()? {
            Token::Word(word) if plain(&word) == Some(wanted) => Ok(()),
            Token::End => Err(Trouble::End),
            token => Err(unexpected(&token)),
        }
    }

    fn expect_operator(&mut self, wanted: &[u8]) -> Result<(), Trouble> {
        match self.take()? {
            Token::Operator(operator) if operator == wanted => Ok(()),
            Token::End => Err(Trouble::End),
            token => Err(unexpected(&token)),
        }
    }

    /// `((…))`, which is `let`; or a shell in a shell, if only one of them closes.
    fn sum(&mut self) -> Result<Body, Trouble> {
        let Some(end) = self.sum_end()? else {
            let list = self.list()?;
            self.expect_operator(b")")?;
            return Ok(Body::Inner(list));
        };
        let part = |text: &[u8]| alloc::vec![Part::Quoted(text.to_vec())];
        let words = alloc::vec![part(b"let"), part(b"(("), between_quotes(&self.rest()[1..end])];
        self.skip(end + 2);
        Ok(Body::Simple { assignments: Vec::new(), words })
    }

    fn if_arms(&mut self) -> Result<Body, Trouble> {
        let mut arms = Vec::new();
        loop {
            let condition = self.list_until(b"then")?;
            arms.push((condition, self.list()?));
            self.lines()?;
            match self.take()? {
                Token::Word(word) if plain(&word) == Some(b"elif") => {}
                Token::Word(word) if plain(&word) == Some(b"else") => {
                    return Ok(Body::If { arms, otherwise: self.list_until(b"fi")? });
                }
                Token::Word(word) if plain(&word) == Some(b"fi") => return Ok(Body::If { arms, otherwise: List::default() }),
                Token::End => return Err(Trouble::End),
                token => return Err(unexpected(&token)),
            }
        }
    }

    fn for_words(&mut self) -> Result<Body, Trouble> {
        let name = match self.take()? {
            Token::Word(word) => plain(&word).unwrap_or_default().to_vec(),
            Token::Operator(b"(") if self.rest().starts_with(b"(") => return self.for_sums(),
            Token::End => return Err(Trouble::Unexpected(b"newline".to_vec())),
            token => return Err(unexpected(&token)),
        };
        let mut words = Vec::new();
        self.lines()?;
        if !matches!(self.peek()?, Token::Word(word) if plain(word) == Some(b"in")) {
            words.push(alloc::vec![Part::Value { name: b"@".to_vec(), change: None, is_quoted: true }]);
        } else {
            self.token = None;
            while let Token::Word(_) = self.peek()? {
                if let Token::Word(word) = self.take()? {
                    words.push(word);
                }
            }
        }
        if matches!(self.peek()?, Token::Operator(b";")) {
            self.token = None;
        }
        self.expect(b"do")?;
        Ok(Body::For { name, words, body: self.list_until(b"done")? })
    }

    /// `for ((…; …; …)); do …; done`, from its second parenthesis on.
    fn for_sums(&mut self) -> Result<Body, Trouble> {
        let end = self.sum_end()?.ok_or_else(|| Trouble::Unexpected(b"(".to_vec()))?;
        let mut parts = self.rest()[1..end].split(|byte| *byte == b';').map(|part| part.trim_ascii().to_vec());
        let sums = [(); 3].map(|()| parts.next().unwrap_or_default());
        self.skip(end + 2);
        if matches!(self.peek()?, Token::Operator(b";")) {
            self.token = None;
        }
        self.expect(b"do")?;
        Ok(Body::Count { sums, body: self.list_until(b"done")? })
    }

    fn case_arms(&mut self) -> Result<Body, Trouble> {
        let Token::Word(subject) = self.take()? else { return Err(Trouble::End) };
        self.expect(b"in")?;
        let mut arms = Vec::new();
        loop {
            self.lines()?;
            let mut patterns = Vec::new();
            loop {
                match self.take()? {
                    Token::Word(word) if patterns.is_empty() && plain(&word) == Some(b"esac") => {
                        return Ok(Body::Case { word: subject, arms });
                    }
                    Token::Word(word) => patterns.push(word),
                    Token::Operator(b"(" | b"|") => {}
                    Token::Operator(b")") => break,
                    Token::End => return Err(Trouble::End),
                    token => return Err(unexpected(&token)),
                }
            }
            let mut list = List::default();
            self.items(&mut list, false)?;
            arms.push((patterns, list));
            if *self.peek()? == Token::Operator(b";;") {
                self.token = None;
            }
        }
    }

    /// `[[ … ]]`: what stands between is words, operators and all.
    fn double_brackets(&mut self) -> Result<Body, Trouble> {
        let mut words = alloc::vec![alloc::vec![Part::Plain(b"[[".to_vec())]];
        loop {
            match self.take()? {
                Token::Word(word) => {
                    let is_last = plain(&word) == Some(b"]]");
                    words.push(word);
                    if is_last {
                        return Ok(Body::Simple { assignments: Vec::new(), words });
                    }
                }
                Token::Operator(operator) => words.push(alloc::vec![Part::Quoted(operator.to_vec())]),
                Token::End => return Err(Trouble::End),
                _ => {}
            }
        }
    }

    fn function(&mut self, name: Vec<u8>) -> Result<Body, Trouble> {
        self.lines()?;
        self.peek()?;
        let from = self.token_at;
        let body = Rc::new(self.command()?);
        let to = if self.token.is_some() { self.token_at } else { self.at };
        Ok(Body::Function { name, body, text: self.text.get(from..to).unwrap_or_default().trim_ascii_end().to_vec() })
    }

    fn simple(&mut self, line: u32) -> Result<Node, Trouble> {
        let (mut assignments, mut words, mut redirects) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            if self.redirect(&mut redirects)? {
                continue;
            }
            match self.peek()? {
                Token::Word(word) if words.is_empty() && assigns(word).is_some() => {
                    let Token::Word(word) = self.take()? else { continue };
                    assignments.extend(self.assignment(word)?);
                }
                Token::Word(_) => {
                    if let Token::Word(word) = self.take()? {
                        words.push(word);
                    }
                }
                Token::Operator(b"(") => {
                    let name = words.first().and_then(plain).filter(|_| words.len() == 1 && assignments.is_empty());
                    let Some(name) = name.map(<[u8]>::to_vec) else { return Err(unexpected(&self.take()?)) };
                    self.token = None;
                    self.expect_operator(b")")?;
                    return Ok(Node { body: self.function(name)?, redirects, line });
                }
                Token::End if words.is_empty() && assignments.is_empty() && redirects.is_empty() => return Err(Trouble::End),
                other if words.is_empty() && assignments.is_empty() && redirects.is_empty() => return Err(unexpected(other)),
                _ => return Ok(Node { body: Body::Simple { assignments, words }, redirects, line }),
            }
        }
    }

    /// What a word that [`assigns`] gives to a name; several words may stand between parentheses behind it.
    fn assignment(&mut self, mut word: Word) -> Result<Option<Assignment>, Trouble> {
        let at = assigns(&word).unwrap_or_default();
        let Some(Part::Plain(text)) = word.first_mut() else { return Ok(None) };
        let name = text[..name_bytes(text)].to_vec();
        let appends = text[at.saturating_sub(1)] == b'+';
        let index = text[name.len()..at].strip_prefix(b"[").map(|rest| rest[..memchr::memchr(b']', rest).unwrap_or(0)].to_vec());
        text.drain(..=at);
        let is_several = word.len() == 1 && plain(&word).is_some_and(<[u8]>::is_empty) && self.rest().starts_with(b"(");
        if !is_several {
            return Ok(Some(Assignment { name, index, appends, value: Assigned::One(word) }));
        }
        self.skip(1);
        let mut words = Vec::new();
        loop {
            match self.take()? {
                Token::Word(word) => words.push(word),
                Token::Line => {}
                Token::Operator(b")") => return Ok(Some(Assignment { name, index, appends, value: Assigned::Several(words) })),
                Token::End => return Err(Trouble::Unclosed(b')')),
                token => return Err(unexpected(&token)),
            }
        }
    }

    /// Takes a redirection; `false` if there is none here.
    fn redirect(&mut self, redirects: &mut Vec<Redirect>) -> Result<bool, Trouble> {
        let (number, operator) = match self.peek()? {
            Token::Numbered(number, operator) => (Some(*number), *operator),
            Token::Operator(operator) if operator.iter().any(|byte| matches!(byte, b'<' | b'>')) => (None, *operator),
            _ => return Ok(false),
        };
        self.token = None;
        let word = match self.take()? {
            Token::Word(word) => word,
            Token::End => return Err(Trouble::Unexpected(b"newline".to_vec())),
            token => return Err(unexpected(&token)),
        };
        let is_number = plain(&word).is_some_and(|word| matches!(word, [b'0'..=b'9' | b'-']));
        let kind = match operator {
            b"<" | b"<>" => Kind::From,
            b"<<" | b"<<-" | b"<<<" => Kind::Here,
            b">>" => Kind::Append,
            b">&" | b"<&" if is_number => Kind::Same,
            b"&>" | b"&>>" | b">&" => Kind::Both,
            _ => Kind::To,
        };
        let word = match operator {
            b"<<" | b"<<-" => self.here(&word, operator == b"<<-")?,
            b"<<<" => word.into_iter().chain([Part::Quoted(b"\n".to_vec())]).collect(),
            _ => word,
        };
        let usual = if operator.starts_with(b"<") { 0 } else { 1 };
        redirects.push(Redirect { number: number.unwrap_or(usual), kind, word });
        Ok(true)
    }

    /// The text of a here-document, which begins behind this line.
    fn here(&mut self, word: &Word, strips_tabs: bool) -> Result<Word, Trouble> {
        let is_quoted = word.iter().any(|part| matches!(part, Part::Quoted(_)));
        let end: Vec<u8> = word
            .iter()
            .flat_map(|part| match part {
                Part::Plain(text) | Part::Quoted(text) => text.clone(),
                _ => Vec::new(),
            })
            .collect();
        let from = self.here.unwrap_or_else(|| {
            let rest = self.rest();
            self.at + memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1)
        });
        let (mut text, mut at, mut is_closed) = (Vec::new(), from, false);
        for line in self.text[from..].split_inclusive(|byte| *byte == b'\n') {
            at += line.len();
            let line = if strips_tabs { &line[line.iter().take_while(|byte| **byte == b'\t').count()..] } else { line };
            if line.strip_suffix(b"\n").unwrap_or(line) == end {
                is_closed = true;
                break;
            }
            text.extend_from_slice(line);
        }
        if !is_closed && !self.is_whole {
            return Err(Trouble::End);
        }
        self.here = Some(at);
        Ok(if is_quoted { alloc::vec![Part::Quoted(text)] } else { between_quotes(&text) })
    }
}

fn unexpected(token: &Token) -> Trouble {
    Trouble::Unexpected(match token {
        Token::Word(word) => word
            .iter()
            .flat_map(|part| match part {
                Part::Plain(text) | Part::Quoted(text) => text.clone(),
                _ => Vec::new(),
            })
            .collect(),
        Token::Operator(operator) | Token::Numbered(_, operator) => operator.to_vec(),
        Token::Line => b"newline".to_vec(),
        Token::End => return Trouble::End,
    })
}
