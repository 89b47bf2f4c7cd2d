//! What the server says of itself: the sections of `INFO` that are asked by default.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use honeymesh_types::WallTime;

/// One run in seconds: the server was started at the last multiple of it, so that its uptime grows from visit to visit.
const RUN_SECONDS: u64 = 60 * 24 * 3_600;

/// What differs between two servers, or two moments.
pub(super) struct Facts<'a> {
    pub(super) version: &'a str,
    /// 40 digits that name this run.
    pub(super) run: &'a str,
    pub(super) now: WallTime,
    pub(super) keys: usize,
    pub(super) is_replica_of: Option<(&'a str, &'a str)>,
}

/// The sections named by `wanted` (in small letters), or all.
pub(super) fn text(facts: &Facts<'_>, wanted: &[Vec<u8>]) -> String {
    let all = wanted.is_empty() || wanted.iter().any(|name| matches!(name.as_slice(), b"default" | b"all" | b"everything"));
    let sections = [
        ("server", server(facts)),
        ("clients", CLIENTS.to_string()),
        ("memory", MEMORY.to_string()),
        ("persistence", persistence(facts)),
        ("stats", stats(facts)),
        ("replication", replication(facts)),
        ("cpu", cpu(facts)),
        ("modules", "# Modules\r\n".to_string()),
        ("errorstats", "# Errorstats\r\nerrorstat_ERR:count=31\r\n".to_string()),
        ("cluster", "# Cluster\r\ncluster_enabled:0\r\n".to_string()),
        ("keyspace", keyspace(facts)),
    ];
    let is_wanted = |name: &str| all || wanted.iter().any(|wanted| wanted == name.as_bytes());
    let shown: Vec<String> = sections.into_iter().filter(|(name, _)| is_wanted(name)).map(|(_, text)| text).collect();
    shown.join("\r\n")
}

const fn seconds(now: WallTime) -> u64 {
    now.0 / 1_000_000
}

/// Since when the server runs, in seconds of its wall clock.
pub(super) const fn started(now: WallTime) -> u64 {
    seconds(now) - uptime(now)
}

const fn uptime(now: WallTime) -> u64 {
    seconds(now) % RUN_SECONDS
}

fn server(facts: &Facts<'_>) -> String {
    let (version, run, micros, uptime) = (facts.version, facts.run, facts.now.0, uptime(facts.now));
    let days = uptime / 86_400;
    // Redis counts in 24 bits.
    let clock = seconds(facts.now) & 0xff_ffff;
    format!(
        "# Server\r\nredis_version:{version}\r\nredis_git_sha1:00000000\r\nredis_git_dirty:0\r\n\
         redis_build_id:ae4d7c971a948f0\r\nredis_mode:standalone\r\nos:Linux 6.1.0-41-amd64 x86_64\r\narch_bits:64\r\n\
         monotonic_clock:POSIX clock_gettime\r\nmultiplexing_api:epoll\r\natomicvar_api:c11-builtin\r\ngcc_version:12.2.0\r\n\
         process_id:714\r\nprocess_supervised:systemd\r\nrun_id:{run}\r\ntcp_port:6379\r\nserver_time_usec:{micros}\r\n\
         uptime_in_seconds:{uptime}\r\nuptime_in_days:{days}\r\nhz:10\r\nconfigured_hz:10\r\nlru_clock:{clock}\r\n\
         executable:/usr/bin/redis-server\r\nconfig_file:/etc/redis/redis.conf\r\nio_threads_active:0\r\n"
    )
}

const CLIENTS: &str = "# Clients\r\nconnected_clients:1\r\ncluster_connections:0\r\nmaxclients:10000\r\n\
    client_recent_max_input_buffer:20480\r\nclient_recent_max_output_buffer:0\r\nblocked_clients:0\r\ntracking_clients:0\r\n\
    clients_in_timeout_table:0\r\n";

const MEMORY: &str = "# Memory\r\nused_memory:1012448\r\nused_memory_human:988.72K\r\nused_memory_rss:13213696\r\n\
    used_memory_rss_human:12.60M\r\nused_memory_peak:1118008\r\nused_memory_peak_human:1.07M\r\n\
    used_memory_peak_perc:90.56%\r\nused_memory_overhead:898568\r\nused_memory_startup:896408\r\n\
    used_memory_dataset:113880\r\nused_memory_dataset_perc:98.14%\r\nallocator_allocated:1690848\r\n\
    allocator_active:1826816\r\nallocator_resident:4497408\r\ntotal_system_memory:4105125888\r\n\
    total_system_memory_human:3.82G\r\nused_memory_lua:31744\r\nused_memory_vm_eval:31744\r\nused_memory_lua_human:31.00K\r\n\
    used_memory_scripts_eval:0\r\nnumber_of_cached_scripts:0\r\nnumber_of_functions:0\r\nnumber_of_libraries:0\r\n\
    maxmemory:0\r\nmaxmemory_human:0B\r\nmaxmemory_policy:noeviction\r\nmem_fragmentation_ratio:13.05\r\n\
    mem_allocator:jemalloc-5.3.0\r\nactive_defrag_running:0\r\nlazyfree_pending_objects:0\r\nlazyfreed_objects:0\r\n";

fn persistence(facts: &Facts<'_>) -> String {
    let saved = started(facts.now);
    format!(
        "# Persistence\r\nloading:0\r\nasync_loading:0\r\ncurrent_cow_peak:0\r\ncurrent_cow_size:0\r\n\
         rdb_changes_since_last_save:0\r\nrdb_bgsave_in_progress:0\r\nrdb_last_save_time:{saved}\r\n\
         rdb_last_bgsave_status:ok\r\nrdb_last_bgsave_time_sec:-1\r\nrdb_current_bgsave_time_sec:-1\r\nrdb_saves:0\r\n\
         aof_enabled:0\r\naof_rewrite_in_progress:0\r\naof_last_bgrewrite_status:ok\r\naof_last_write_status:ok\r\n\
         module_fork_in_progress:0\r\n"
    )
}

fn stats(facts: &Facts<'_>) -> String {
    let connections = uptime(facts.now) / 97 + 1;
    let commands = connections * 4;
    format!(
        "# Stats\r\ntotal_connections_received:{connections}\r\ntotal_commands_processed:{commands}\r\n\
         instantaneous_ops_per_sec:0\r\nrejected_connections:0\r\nsync_full:0\r\nsync_partial_ok:0\r\nsync_partial_err:0\r\n\
         expired_keys:0\r\nevicted_keys:0\r\nkeyspace_hits:0\r\nkeyspace_misses:0\r\npubsub_channels:0\r\npubsub_patterns:0\r\n\
         latest_fork_usec:0\r\ntotal_forks:0\r\n"
    )
}

fn replication(facts: &Facts<'_>) -> String {
    let run = facts.run;
    let role = match facts.is_replica_of {
        None => "role:master\r\n".to_string(),
        Some((host, port)) => format!(
            "role:slave\r\nmaster_host:{host}\r\nmaster_port:{port}\r\nmaster_link_status:down\r\nmaster_last_io_seconds_ago:-1\r\n\
             master_sync_in_progress:0\r\nslave_read_repl_offset:0\r\nslave_repl_offset:0\r\nslave_priority:100\r\n\
             slave_read_only:1\r\nreplica_announced:1\r\n"
        ),
    };
    format!(
        "# Replication\r\n{role}connected_slaves:0\r\nmaster_failover_state:no-failover\r\nmaster_replid:{run}\r\n\
         master_replid2:0000000000000000000000000000000000000000\r\nmaster_repl_offset:0\r\nsecond_repl_offset:-1\r\n\
         repl_backlog_active:0\r\nrepl_backlog_size:1048576\r\nrepl_backlog_first_byte_offset:0\r\nrepl_backlog_histlen:0\r\n"
    )
}

fn cpu(facts: &Facts<'_>) -> String {
    let (system, user) = (uptime(facts.now) / 950, uptime(facts.now) / 1_210);
    format!("# CPU\r\nused_cpu_sys:{system}.518443\r\nused_cpu_user:{user}.309112\r\n")
}

fn keyspace(facts: &Facts<'_>) -> String {
    match facts.keys {
        0 => "# Keyspace\r\n".to_string(),
        keys => format!("# Keyspace\r\ndb0:keys={keys},expires=0,avg_ttl=0\r\n"),
    }
}
