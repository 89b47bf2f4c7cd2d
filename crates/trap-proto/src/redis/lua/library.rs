//! What is there before a script begins.

use super::value::Value;

/// What has a name of its own, without what the server takes away.
const FUNCTIONS: [&str; 17] = [
    "assert",
    "collectgarbage",
    "error",
    "getmetatable",
    "ipairs",
    "load",
    "loadstring",
    "next",
    "pairs",
    "pcall",
    "rawequal",
    "rawget",
    "rawset",
    "select",
    "setmetatable",
    "tonumber",
    "tostring",
];
const MORE_FUNCTIONS: [&str; 4] = ["type", "unpack", "xpcall", "gcinfo"];

/// Tables, and what is in them.
const LIBRARIES: [(&str, &[&str]); 11] = [
    (
        "redis",
        &[
            "acl_check_cmd",
            "breakpoint",
            "call",
            "debug",
            "error_reply",
            "log",
            "pcall",
            "replicate_commands",
            "set_repl",
            "setresp",
            "sha1hex",
            "status_reply",
        ],
    ),
    (
        "string",
        &[
            "byte", "char", "dump", "find", "format", "gfind", "gmatch", "gsub", "len", "lower", "match", "rep", "reverse",
            "sub", "upper",
        ],
    ),
    ("table", &["concat", "foreach", "foreachi", "getn", "insert", "maxn", "remove", "setn", "sort"]),
    (
        "math",
        &[
            "abs",
            "acos",
            "asin",
            "atan",
            "atan2",
            "ceil",
            "cos",
            "cosh",
            "deg",
            "exp",
            "floor",
            "fmod",
            "frexp",
            "ldexp",
            "log",
            "log10",
            "max",
            "min",
            "mod",
            "modf",
            "pow",
            "rad",
            "random",
            "randomseed",
            "sin",
            "sinh",
            "sqrt",
            "tan",
            "tanh",
        ],
    ),
    ("os", &["clock"]),
    ("coroutine", &["create", "resume", "running", "status", "wrap", "yield"]),
    ("bit", &["arshift", "band", "bnot", "bor", "bswap", "bxor", "lshift", "rol", "ror", "rshift", "tobit", "tohex"]),
    ("struct", &["pack", "size", "unpack"]),
    ("cjson", &["decode", "encode"]),
    ("cmsgpack", &["pack", "unpack", "unpack_limit", "unpack_one"]),
    ("_G", &[]),
];

/// What a name stands for; `None` if there is none of it.
pub(super) fn global(name: &[u8]) -> Option<Value> {
    if name == b"_VERSION" {
        return Some(Value::Text(b"Lua 5.1".to_vec()));
    }
    let function = FUNCTIONS.iter().chain(&MORE_FUNCTIONS).find(|function| function.as_bytes() == name);
    let library = || LIBRARIES.iter().find(|(library, _)| library.as_bytes() == name);
    function.map(|function| Value::Function("", function)).or_else(|| library().map(|(library, _)| Value::Library(library)))
}

/// What a table of these has under a name.
pub(super) fn field(library: &'static str, name: &[u8]) -> Value {
    if library == "_G" {
        return global(name).unwrap_or(Value::Nil);
    }
    let has = LIBRARIES.iter().find(|(known, _)| *known == library).map_or(&[][..], |(_, functions)| functions);
    has.iter().find(|function| function.as_bytes() == name).map_or(Value::Nil, |function| Value::Function(library, function))
}
