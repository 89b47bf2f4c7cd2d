//! What is stored: one small database, and what the stranger leaves on his connection.

use super::{Mongodb, bson::Doc};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};

/// Collections that one connection may make.
const MADE_MAX: usize = 8;
/// What all of them hold, in bytes; what does not fit is said to be stored and is not.
const MADE_BYTES_MAX: usize = 8 * 1_024;
/// The longest name that is kept, in bytes.
const NAME_BYTES_MAX: usize = 120;

/// What databases are called.
const NAMES: [&str; 6] = ["app", "shop", "crm", "prod", "api", "portal"];
const USERS: [(&str, &str); 3] = [("admin", "admin"), ("m.weber", "editor"), ("j.lind", "viewer")];

/// A collection.
#[derive(Clone, Debug)]
struct Collection {
    database: String,
    name: String,
    documents: Vec<Vec<u8>>,
}

/// Everything, as this connection sees it.
pub(super) struct Data {
    collections: Vec<Collection>,
    made: usize,
    bytes: usize,
}

impl Data {
    /// What everybody finds.
    pub(super) fn new(mongodb: &Mongodb) -> Self {
        let number = mongodb.persona.number("mongodb");
        let database = NAMES[usize::try_from(number % NAMES.len() as u64).unwrap_or(0)];
        let user = |(at, (name, role)): (usize, &(&str, &str))| {
            let mut id = [0; 12];
            let at = u64::try_from(at).unwrap_or(0);
            // Made some time in 2025, by one process.
            let second = u32::try_from(1_740_000_000 + number % 9_000_000 + at * 86_400).unwrap_or(0);
            id[..4].copy_from_slice(&second.to_be_bytes());
            id[4..9].copy_from_slice(&number.to_le_bytes()[..5]);
            id[11] = u8::try_from(at + 1).unwrap_or(0);
            Doc::new().id("_id", id).text("username", name).text("role", role).date("createdAt", u64::from(second) * 1_000).done()
        };
        let users = USERS.iter().enumerate().map(user).collect();
        let collections = [("users", users), ("sessions", Vec::new())].map(|(name, documents)| Collection {
            database: database.to_string(),
            name: name.to_string(),
            documents,
        });
        Self { collections: collections.to_vec(), made: 0, bytes: 0 }
    }

    /// The names of all databases.
    pub(super) fn databases(&self) -> Vec<&str> {
        let mut names: Vec<&str> = ["admin", "config", "local"].to_vec();
        for collection in &self.collections {
            if !names.contains(&collection.database.as_str()) {
                names.push(&collection.database);
            }
        }
        names.sort_unstable();
        names
    }

    /// The names of a database's collections.
    pub(super) fn collections(&self, database: &str) -> Vec<&str> {
        self.collections.iter().filter(|one| one.database == database).map(|one| one.name.as_str()).collect()
    }

    /// A collection's documents.
    pub(super) fn documents(&self, database: &str, name: &str) -> &[Vec<u8>] {
        let found = self.collections.iter().find(|one| one.database == database && one.name == name);
        found.map(|one| one.documents.as_slice()).unwrap_or_default()
    }

    /// Keeps documents, as far as there is room.
    pub(super) fn insert(&mut self, database: &str, name: &str, documents: &[&[u8]]) {
        if name.len() > NAME_BYTES_MAX || database.len() > NAME_BYTES_MAX {
            return;
        }
        let at = self.collections.iter().position(|one| one.database == database && one.name == name);
        if at.is_none() {
            if self.made == MADE_MAX {
                return;
            }
            self.made += 1;
            let (database, name) = (database.to_string(), name.to_string());
            self.collections.push(Collection { database, name, documents: Vec::new() });
        }
        let at = at.unwrap_or(self.collections.len() - 1);
        for document in documents {
            if self.bytes + document.len() <= MADE_BYTES_MAX {
                self.bytes += document.len();
                self.collections[at].documents.push(document.to_vec());
            }
        }
    }

    /// Empties a collection; how many documents it had.
    pub(super) fn empty(&mut self, database: &str, name: &str) -> usize {
        let found = self.collections.iter_mut().find(|one| one.database == database && one.name == name);
        found.map(|one| core::mem::take(&mut one.documents).len()).unwrap_or_default()
    }

    /// Drops a collection, or a whole database; was there anything?
    pub(super) fn drop(&mut self, database: &str, name: Option<&str>) -> bool {
        let before = self.collections.len();
        self.collections.retain(|one| one.database != database || name.is_some_and(|name| one.name != name));
        self.collections.len() < before
    }
}
