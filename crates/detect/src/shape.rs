//! What each shape of an attack weighs, and what it is in words.

use honeymesh_types::Shape;

/// What it adds to the score.
pub(crate) const fn weight(shape: Shape) -> u8 {
    match shape {
        Shape::Jndi | Shape::ReverseShell => 60,
        Shape::Download
        | Shape::Executable
        | Shape::NopSled
        | Shape::Webshell
        | Shape::CodeInjection
        | Shape::Deserialization => 45,
        Shape::ShellPipe | Shape::DecodePipe | Shape::ShellInjection | Shape::SqlInjection | Shape::ServiceAbuse => 40,
        Shape::Traversal | Shape::SecretFile => 35,
        Shape::Foothold => 30,
        Shape::ProductProbe => 20,
        Shape::Script | Shape::Tool => 15,
        Shape::Archive => 5,
    }
}

/// Is it an attack by itself, and not only curiosity?
pub(crate) const fn is_exploit(shape: Shape) -> bool {
    !matches!(shape, Shape::ProductProbe | Shape::Tool | Shape::Script | Shape::Archive)
}

/// What it is, in words.
pub(crate) const fn words(shape: Shape) -> &'static str {
    match shape {
        Shape::Jndi => "makes a logger load code",
        Shape::ReverseShell => "opens a shell that calls home",
        Shape::Download => "fetches a program",
        Shape::ShellPipe => "feeds a shell",
        Shape::DecodePipe => "decodes and runs",
        Shape::ShellInjection => "injects shell commands",
        Shape::Executable => "carries an executable file",
        Shape::NopSled => "carries a row of no-operations, as in front of shellcode",
        Shape::CodeInjection => "injects code",
        Shape::Deserialization => "sends an object that runs code when it is read",
        Shape::Webshell => "uses or plants a web shell",
        Shape::SqlInjection => "injects SQL",
        Shape::ServiceAbuse => "abuses a service's commands",
        Shape::Traversal => "leaves the served directory",
        Shape::SecretFile => "asks for a file with secrets",
        Shape::Foothold => "prepares a foothold",
        Shape::Script => "carries a script",
        Shape::Archive => "carries an archive",
        Shape::ProductProbe => "probes for a vulnerable product",
        Shape::Tool => "names a scanner or attack tool",
    }
}
