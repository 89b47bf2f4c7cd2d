//! One connection to a controller.

use super::{
    Modbus,
    registers::{ADDRESSES, Registers, Table},
};
use crate::{Findings, Flow, exactly::Exactly, packets::Packets};
use alloc::{collections::BTreeSet, format, string::String, sync::Arc, vec::Vec};
use core::fmt::Write;
use honeymesh_types::{Signs, WallTime};

/// Transaction, protocol, length.
const HEAD_BYTES: usize = 6;
/// The longest unit and request, in bytes (section 4.1: 253, and the unit).
const REQUEST_BYTES_MAX: usize = 254;
/// Values of one write that are told.
const VALUES_TOLD_MAX: usize = 32;
/// After so many requests that tell nothing new they are told all the same.
const TOLD_EVERY: usize = 64;
/// Units that are this controller; behind every other number is nothing.
const UNITS: [u8; 3] = [0, 1, 255];

const READ_COILS: u8 = 1;
const READ_INPUTS: u8 = 2;
const READ_HOLDING: u8 = 3;
const READ_INPUT_REGISTERS: u8 = 4;
const WRITE_COIL: u8 = 5;
const WRITE_REGISTER: u8 = 6;
const WRITE_COILS: u8 = 15;
const WRITE_REGISTERS: u8 = 16;
const REPORT_SERVER_ID: u8 = 17;
const ENCAPSULATED: u8 = 43;
/// Read device identification.
const IDENTIFY: u8 = 14;

/// What goes wrong (section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exception {
    Function = 1,
    Address = 2,
    Value = 3,
    /// The gateway's target does not respond.
    Target = 11,
}

/// One connection to a controller.
pub(super) struct ModbusSession {
    modbus: Arc<Modbus>,
    registers: Registers,
    coming: Exactly,
    /// The head, once it is there.
    head: Option<[u8; 4]>,
    /// Functions that were told.
    told: BTreeSet<u8>,
    untold: usize,
    findings: Findings,
}

impl ModbusSession {
    pub(super) fn new(modbus: Arc<Modbus>) -> Self {
        let registers = Registers::new(modbus.process);
        let (coming, told, findings) = (Exactly::new(HEAD_BYTES), BTreeSet::new(), Findings::default());
        Self { modbus, registers, coming, head: None, told, untold: 0, findings }
    }

    fn head(&mut self, said: &[u8]) -> Flow {
        let length = match said {
            [a, b, 0, 0, high, low] => Some((usize::from(u16::from_be_bytes([*high, *low])), [*a, *b, 0, 0])),
            _ => None,
        };
        match length {
            Some((length @ 2..=REQUEST_BYTES_MAX, head)) => {
                self.head = Some(head);
                self.coming.want(length);
                Flow::Continue
            }
            _ => {
                self.findings.signs |= Signs::MALFORMED;
                Flow::Close
            }
        }
    }

    fn request(&mut self, head: [u8; 4], said: &[u8], answer: &mut Vec<u8>) -> Flow {
        let [unit, function, data @ ..] = said else { return Flow::Continue };
        self.note(*unit, *function, data);
        let (is_hostile, outcome) = match UNITS.contains(unit) {
            true => (is_write(*function), self.function(*function, data)),
            false => (is_write(*function), Err(Exception::Target)),
        };
        let mut reply = Vec::from([*unit, *function]);
        match outcome {
            Ok(data) => reply.extend_from_slice(&data),
            Err(exception) => {
                reply = Vec::from([*unit, *function | 0x80, exception as u8]);
            }
        }
        answer.extend_from_slice(&head);
        answer.extend_from_slice(&u16::try_from(reply.len()).unwrap_or_default().to_be_bytes());
        answer.extend_from_slice(&reply);
        self.told(*function, is_hostile)
    }

    /// Told is each function's first request, and each that writes; of the others one in many.
    fn told(&mut self, function: u8, is_hostile: bool) -> Flow {
        self.untold += 1;
        if is_hostile {
            self.findings.signs |= Signs::RULE;
        } else if !self.told.insert(function) && self.untold < TOLD_EVERY {
            return Flow::Continue;
        }
        self.untold = 0;
        Flow::Telling
    }

    fn note(&mut self, unit: u8, function: u8, data: &[u8]) {
        self.findings.note("unit", format!("{unit}").as_bytes());
        self.findings.note("function", format!("{function}").as_bytes());
        if let (true, [high, low, ..]) = ((1..=16).contains(&function), data) {
            self.findings.note("address", format!("{}", u16::from_be_bytes([*high, *low])).as_bytes());
        }
    }

    fn function(&mut self, function: u8, data: &[u8]) -> Result<Vec<u8>, Exception> {
        match function {
            READ_COILS => self.read_bits(Table::Coils, data),
            READ_INPUTS => self.read_bits(Table::Inputs, data),
            READ_HOLDING => self.read_registers(Table::Holding, data),
            READ_INPUT_REGISTERS => self.read_registers(Table::InputRegisters, data),
            WRITE_COIL | WRITE_REGISTER => self.write_one(function, data),
            WRITE_COILS | WRITE_REGISTERS => self.write_many(function, data),
            REPORT_SERVER_ID => Ok(self.server_id()),
            ENCAPSULATED => self.identify(data),
            _ => Err(Exception::Function),
        }
    }

    fn read_bits(&self, table: Table, data: &[u8]) -> Result<Vec<u8>, Exception> {
        let (address, count) = span(data, 2_000)?;
        let mut bytes = alloc::vec![0; usize::from(count).div_ceil(8)];
        for index in 0..count {
            if let Some(byte) = bytes.get_mut(usize::from(index / 8)) {
                *byte |= u8::from(self.registers.read(table, address + index) > 0) << (index % 8);
            }
        }
        bytes.insert(0, u8::try_from(bytes.len()).unwrap_or_default());
        Ok(bytes)
    }

    fn read_registers(&self, table: Table, data: &[u8]) -> Result<Vec<u8>, Exception> {
        let (address, count) = span(data, 125)?;
        let mut bytes = Vec::from([u8::try_from(2 * count).unwrap_or_default()]);
        (0..count).for_each(|index| bytes.extend_from_slice(&self.registers.read(table, address + index).to_be_bytes()));
        Ok(bytes)
    }

    fn write_one(&mut self, function: u8, data: &[u8]) -> Result<Vec<u8>, Exception> {
        let [a, b, c, d] = data else { return Err(Exception::Value) };
        let (address, value) = (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]));
        let (table, stored) = match (function, value) {
            (WRITE_REGISTER, value) => (Table::Holding, value),
            (_, 0xff00) => (Table::Coils, 1),
            (_, 0) => (Table::Coils, 0),
            _ => return Err(Exception::Value),
        };
        self.findings.note("values", format!("{stored}").as_bytes());
        if address >= ADDRESSES {
            return Err(Exception::Address);
        }
        self.registers.write(table, address, stored);
        Ok(data.to_vec())
    }

    fn write_many(&mut self, function: u8, data: &[u8]) -> Result<Vec<u8>, Exception> {
        let (head, rest) = data.split_at_checked(4).ok_or(Exception::Value)?;
        let [length, values @ ..] = rest else { return Err(Exception::Value) };
        let is_coils = function == WRITE_COILS;
        let (address, count) = span(head, if is_coils { 1_968 } else { 123 })?;
        let wanted = if is_coils { usize::from(count).div_ceil(8) } else { 2 * usize::from(count) };
        if usize::from(*length) != wanted || values.len() != wanted {
            return Err(Exception::Value);
        }
        let value = |index: u16| {
            let index = usize::from(index);
            let bit = || values.get(index / 8).map(|byte| u16::from(byte >> (index % 8) & 1));
            let register = || Some(u16::from_be_bytes([*values.get(2 * index)?, *values.get(2 * index + 1)?]));
            if is_coils { bit() } else { register() }.unwrap_or_default()
        };
        let mut told = String::new();
        for index in 0..count {
            let table = if is_coils { Table::Coils } else { Table::Holding };
            self.registers.write(table, address + index, value(index));
            if usize::from(index) < VALUES_TOLD_MAX {
                // Writing to a String cannot fail.
                let _ = write!(told, "{}{}", if index > 0 { " " } else { "" }, value(index));
            }
        }
        self.findings.note("values", told.as_bytes());
        Ok(head.to_vec())
    }

    /// The product, running.
    fn server_id(&self) -> Vec<u8> {
        let mut bytes = [&[0xff, 0xff][..], self.modbus.vendor.as_bytes(), b" ", self.modbus.product.as_bytes()].concat();
        bytes.truncate(240);
        bytes.insert(0, u8::try_from(bytes.len()).unwrap_or_default());
        bytes
    }

    /// Device identification (section 6.21): basic objects, streamed or one by one.
    fn identify(&mut self, data: &[u8]) -> Result<Vec<u8>, Exception> {
        let [IDENTIFY, code, object] = data else { return Err(Exception::Function) };
        let objects = [&self.modbus.vendor, &self.modbus.product, &self.modbus.revision];
        let from = usize::from(*object);
        let told = match code {
            // Whoever begins behind the last one begins anew.
            1..=3 => objects.get(from..).filter(|rest| !rest.is_empty()).map_or((0, &objects[..]), |rest| (from, rest)),
            4 => (from, objects.get(from..=from).ok_or(Exception::Address)?),
            _ => return Err(Exception::Value),
        };
        let (first, objects) = told;
        let mut bytes = Vec::from([IDENTIFY, *code, 0x81, 0, 0, u8::try_from(objects.len()).unwrap_or_default()]);
        for (index, object) in objects.iter().enumerate() {
            // Three texts of one banner fit into one answer.
            let text = object.as_bytes().get(..object.len().min(200)).unwrap_or_default();
            bytes.push(u8::try_from(first + index).unwrap_or_default());
            bytes.push(u8::try_from(text.len()).unwrap_or_default());
            bytes.extend_from_slice(text);
        }
        Ok(bytes)
    }
}

const fn is_write(function: u8) -> bool {
    matches!(function, WRITE_COIL | WRITE_REGISTER | WRITE_COILS | WRITE_REGISTERS | 21..=23)
}

/// An address and a count of at most `most`, all of which there are.
fn span(data: &[u8], most: u16) -> Result<(u16, u16), Exception> {
    let [a, b, c, d] = data else { return Err(Exception::Value) };
    let (address, count) = (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]));
    if count == 0 || count > most {
        return Err(Exception::Value);
    }
    if u32::from(address) + u32::from(count) > u32::from(ADDRESSES) { Err(Exception::Address) } else { Ok((address, count)) }
}

impl Packets for ModbusSession {
    /// The longest answer, in bytes.
    const REPLY_BYTES_MAX: usize = 512;

    fn byte(&mut self, byte: u8, _now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let Some(said) = self.coming.push(byte) else { return Flow::Continue };
        match self.head.take() {
            None => self.head(&said),
            Some(head) => {
                self.coming.want(HEAD_BYTES);
                self.request(head, &said, answer)
            }
        }
    }

    fn findings(&mut self) -> &mut Findings {
        &mut self.findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Persona,
        drive::{self, Heard},
    };
    use proptest::prelude::*;

    fn plc() -> Modbus {
        Modbus::of(&Persona::of([7; 32]))
    }

    fn ask(unit: u8, pdu: &[u8]) -> Vec<u8> {
        let length = u8::try_from(pdu.len() + 1).unwrap();
        [&[0x12, 0x34, 0, 0, 0, length, unit][..], pdu].concat()
    }

    fn talk(bytes: &[u8]) -> Heard {
        drive::whole(&mut plc().session(), bytes)
    }

    /// What comes back to one request, behind its head.
    fn pdu(unit: u8, pdu: &[u8]) -> Vec<u8> {
        let answer = talk(&ask(unit, pdu)).answer;
        assert_eq!((&answer[..4], usize::from(answer[5])), (&[0x12, 0x34, 0, 0][..], answer.len() - 6));
        answer[7..].to_vec()
    }

    #[test]
    fn what_is_read_is_as_much_as_was_asked_for() {
        assert_eq!(pdu(1, &[3, 0, 0, 0, 10]).len(), 2 + 20);
        assert_eq!(pdu(1, &[4, 0, 0, 0, 125]).len(), 2 + 250);
        assert_eq!(pdu(255, &[1, 0, 0, 0, 19])[..2], [1, 3]);
        assert_eq!(pdu(0, &[2, 7, 0xff, 0, 1])[..2], [2, 1]);
    }

    #[test]
    fn what_cannot_be_done_is_an_exception() {
        let table: [(u8, &[u8], [u8; 2]); 11] = [
            (1, &[3, 0, 0, 0, 0], [0x83, 3]),
            (1, &[3, 0, 0, 0, 126], [0x83, 3]),
            (1, &[3, 0, 0, 0], [0x83, 3]),
            (1, &[3, 8, 0, 0, 1], [0x83, 2]),
            (1, &[1, 0xff, 0xff, 0, 2], [0x81, 2]),
            (1, &[5, 0, 1, 1, 0], [0x85, 3]),
            (1, &[16, 0, 0, 0, 2, 4, 0, 1], [0x90, 3]),
            (1, &[90, 0, 2], [0xda, 1]),
            (1, &[43, 13, 0, 0], [0xab, 1]),
            (1, &[43, 14, 4, 3], [0xab, 2]),
            (7, &[3, 0, 0, 0, 1], [0x83, 11]),
        ];
        for (unit, request, exception) in table {
            assert_eq!(pdu(unit, request), exception, "{request:?}");
        }
    }

    #[test]
    fn what_is_written_is_hostile_and_read_back() {
        let requests = [
            ask(1, &[16, 0, 9, 0, 2, 4, 0x12, 0x34, 0, 5]),
            ask(1, &[6, 0, 11, 0, 77]),
            ask(1, &[5, 0, 3, 0xff, 0]),
            ask(1, &[15, 0, 4, 0, 9, 2, 0x55, 1]),
            ask(1, &[3, 0, 9, 0, 3]),
            ask(1, &[1, 0, 3, 0, 10]),
        ];
        let heard = talk(&requests.concat());
        assert!(heard.answer.ends_with(&[1, 1, 2, 0b1010_1011, 0b10]), "{:?}", heard.answer);
        assert!(heard.answer.windows(8).any(|part| part == [3, 6, 0x12, 0x34, 0, 5, 0, 77]));
        let told: Vec<_> = heard.reports[..4].iter().map(|(found, _)| (found.signs, found.fields["values"].as_str())).collect();
        let rule = Signs::RULE;
        assert_eq!(told, [(rule, "4660 5"), (rule, "77"), (rule, "1"), (rule, "1 0 1 0 1 0 1 0 1")]);
        assert_eq!(heard.reports[0].0.fields["address"], "9");
        assert!(heard.reports[4].0.signs.is_empty(), "reading alone is not hostile");
    }

    #[test]
    fn it_says_what_it_is() {
        let all = pdu(1, &[43, 14, 1, 0]);
        assert_eq!(all[..7], [43, 14, 1, 0x81, 0, 0, 3]);
        assert_eq!(drive::said(&all[7..]), "\0\u{12}Schneider Electric\u{1}\u{c}BMX P34 2020\u{2}\u{5}v3.60");
        assert_eq!(pdu(1, &[43, 14, 4, 2])[6..], *b"\x01\x02\x05v3.60");
        assert!(drive::said(&pdu(1, &[17])).ends_with("Schneider Electric BMX P34 2020"));
        let own = plc().identified("ABB; PM803F").unwrap();
        assert_eq!((own.vendor.as_str(), own.product.as_str(), own.revision.as_str()), ("ABB", "PM803F", "v3.60"));
    }

    #[test]
    fn a_poller_is_told_now_and_then_and_others_are_left() {
        let heard = talk(&ask(1, &[3, 0, 0, 0, 1]).repeat(130));
        assert_eq!(heard.reports.len(), 1 + 2 + 1, "its first request, one in 64, and the rest");
        for bytes in [&b"GET / HTTP/1.0\r\n\r\n"[..], b"\0\x01\0\0\0\x01\x01", b"\0\x01\0\0\x01\0\x01\x03"] {
            assert_eq!((talk(bytes).flow, talk(bytes).findings.signs), (Flow::Close, Signs::MALFORMED), "{bytes:?}");
        }
    }

    fn chat() -> impl Strategy<Value = Vec<u8>> {
        let request = (0_u8..3, prop_oneof![1_u8..24, Just(43)], proptest::collection::vec(0_u8..20, 0..12))
            .prop_map(|(unit, function, data)| ask(unit, &[&[function][..], &data].concat()));
        proptest::collection::vec(request, 0..40).prop_map(|requests| requests.concat())
    }

    proptest! {
        #[test]
        fn no_bytes_break_it_and_packets_do_not_matter(bytes in prop_oneof![drive::noise(), chat()], cuts in drive::cuts()) {
            drive::law(|| plc().session(), &bytes, &cuts)?;
        }
    }
}
