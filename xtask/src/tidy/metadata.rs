//! The workspace's crates as cargo knows them.

use crate::machine;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// A crate of the workspace.
#[derive(Clone, Debug, Deserialize)]
pub struct Crate {
    /// The package's name.
    pub name: String,
    /// Its `Cargo.toml`, absolute; [`crates`] makes it relative to the root.
    pub manifest_path: PathBuf,
    /// What it depends on.
    pub dependencies: Vec<Dependency>,
    metadata: Option<Metadata>,
}

/// A dependency.
#[derive(Clone, Debug, Deserialize)]
pub struct Dependency {
    /// The package's name.
    pub name: String,
    /// `None`: for the crate itself; else `dev` or `build`.
    pub kind: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Metadata {
    honeymesh: Option<Ours>,
}

#[derive(Clone, Debug, Deserialize)]
struct Ours {
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Workspace {
    packages: Vec<Crate>,
}

impl Crate {
    /// The declared kind, as written.
    pub fn kind(&self) -> Option<&str> {
        self.metadata.as_ref()?.honeymesh.as_ref()?.kind.as_deref()
    }

    /// Its folder, relative to the root.
    pub fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new(""))
    }

    /// What it knows when it is built for use; tests may know more.
    pub fn knows(&self) -> impl Iterator<Item = &str> {
        self.dependencies.iter().filter(|dep| dep.kind.as_deref() != Some("dev")).map(|dep| dep.name.as_str())
    }
}

/// Asks cargo; paths come back relative to `root`.
pub fn crates(root: &Path) -> Result<Vec<Crate>> {
    let json = machine::read(machine::cargo().args(["metadata", "--format-version", "1", "--no-deps", "--locked"]))?;
    parse(&json, root)
}

fn parse(json: &str, root: &Path) -> Result<Vec<Crate>> {
    let workspace: Workspace = serde_json::from_str(json).context("cargo metadata is not what it used to be")?;
    let mut crates = workspace.packages;
    for krate in &mut crates {
        if let Ok(relative) = krate.manifest_path.strip_prefix(root) {
            krate.manifest_path = relative.to_path_buf();
        }
    }
    Ok(crates)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A crate in `crates/` whose folder is the last part of its name.
    pub fn krate(name: &str, kind: &str, deps: &[&str]) -> Crate {
        let folder = name.strip_prefix("honeymesh-").unwrap_or(name);
        let dependencies = deps.iter().map(|dep| Dependency { name: (*dep).into(), kind: None }).collect();
        let metadata = Some(Metadata { honeymesh: Some(Ours { kind: Some(kind.into()) }) });
        Crate { name: name.into(), manifest_path: format!("crates/{folder}/Cargo.toml").into(), dependencies, metadata }
    }

    #[test]
    fn the_fields_are_read_and_paths_made_relative() {
        let json = r#"{"packages": [{"name": "honeymesh-x", "manifest_path": "/w/crates/x/Cargo.toml",
            "metadata": {"honeymesh": {"kind": "ground"}},
            "dependencies": [{"name": "a", "kind": null}, {"name": "b", "kind": "dev"}, {"name": "c", "kind": "build"}]}]}"#;
        let crates = parse(json, Path::new("/w")).unwrap();
        assert_eq!((crates[0].kind(), crates[0].folder()), (Some("ground"), Path::new("crates/x")));
        assert_eq!(crates[0].knows().collect::<Vec<_>>(), ["a", "c"], "tests may know more");
    }

    #[test]
    fn a_crate_without_a_kind_is_read_all_the_same() {
        let json = r#"{"packages": [{"name": "x", "manifest_path": "/w/x/Cargo.toml", "metadata": null, "dependencies": []}]}"#;
        assert_eq!(parse(json, Path::new("/w")).unwrap()[0].kind(), None);
        assert!(parse("{}", Path::new("/w")).is_err());
    }
}
