//! A house with two doors and a brain of straw, and a client for each door.

mod anybody;
mod brain;
pub(crate) mod client;

pub(crate) use brain::{Brain, visit};
pub(crate) use client::{Answer, Ask};

use honeymesh_api::{Api, ControlSocket, Desk, Limits, Tls, Token, desk};
use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
};
use tokio::{sync::watch, task::JoinHandle};

/// The token of every house.
pub(crate) const TOKEN: &str = "hm_0123456789abcdef0123456789abcdef";

/// Both doors open.
pub(crate) struct House {
    pub(crate) https: SocketAddr,
    pub(crate) socket: PathBuf,
    pub(crate) fingerprint: String,
    pub(crate) desk: Desk,
    pub(crate) brain: Arc<Brain>,
    pub(crate) api: Api,
    stop: watch::Sender<bool>,
    doors: Vec<JoinHandle<()>>,
    _dir: tempfile::TempDir,
}

impl House {
    pub(crate) fn open() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (desk, questions) = desk(64);
        let brain = Arc::new(Brain::default());
        tokio::spawn(brain.clone().answer(questions));
        let api = Api::new(desk.clone(), limits);
        let (stop, stopped) = watch::channel(false);
        let tls = Tls::load_or_create(dir.path(), &["edge-1".into()]).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let https = listener.local_addr().unwrap();
        let socket = ControlSocket::bind(&dir.path().join("honeymesh.sock"), None).unwrap();
        let mut house = Self {
            https,
            socket: socket.path().into(),
            fingerprint: tls.fingerprint().into(),
            desk,
            brain,
            api: api.clone(),
            stop,
            doors: Vec::new(),
            _dir: dir,
        };
        let (for_https, for_control) = (ended(stopped.clone()), ended(stopped));
        let door = api.clone();
        house.doors.push(tokio::spawn(async move {
            door.serve_https(listener, &tls, Token::from_text(TOKEN).unwrap(), for_https).await.unwrap();
        }));
        house.doors.push(tokio::spawn(async move { api.serve_control(&socket, for_control).await.unwrap() }));
        house
    }

    /// What the doors counted under this name.
    pub(crate) fn counted(&self, name: &str) -> u64 {
        self.api.stats().all().into_iter().find(|(known, _)| *known == name).unwrap().1
    }

    /// Closes both doors and waits until they are.
    pub(crate) async fn close(&mut self) {
        self.stop.send(true).unwrap();
        for door in self.doors.drain(..) {
            door.await.unwrap();
        }
    }
}

async fn ended(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
