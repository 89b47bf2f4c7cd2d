//! What the server says of itself.

use alloc::{format, string::String};
use honeymesh_types::WallTime;

/// One run in seconds: the server was started at the last multiple of it, so that its uptime grows from visit to visit.
const RUN_SECONDS: u64 = 60 * 24 * 3_600;

// What never changes on a server that nobody uses.
const CONNECTIONS: &str = "STAT rejected_connections 0\r\nSTAT connection_structures 3\r\nSTAT response_obj_oom 0\r\n\
    STAT response_obj_count 1\r\nSTAT response_obj_bytes 65536\r\nSTAT read_buf_count 8\r\nSTAT read_buf_bytes 131072\r\n\
    STAT read_buf_bytes_free 49152\r\nSTAT read_buf_oom 0\r\nSTAT reserved_fds 20\r\nSTAT cmd_get 0\r\nSTAT cmd_set 0\r\n\
    STAT cmd_flush 0\r\nSTAT cmd_touch 0\r\nSTAT cmd_meta 0\r\nSTAT get_hits 0\r\nSTAT get_misses 0\r\nSTAT get_expired 0\r\n\
    STAT get_flushed 0\r\nSTAT delete_misses 0\r\nSTAT delete_hits 0\r\nSTAT incr_misses 0\r\nSTAT incr_hits 0\r\n\
    STAT decr_misses 0\r\nSTAT decr_hits 0\r\nSTAT cas_misses 0\r\nSTAT cas_hits 0\r\nSTAT cas_badval 0\r\nSTAT touch_hits 0\r\n\
    STAT touch_misses 0\r\nSTAT store_too_large 0\r\nSTAT store_no_memory 0\r\nSTAT auth_cmds 0\r\nSTAT auth_errors 0\r\n";
const LIMITS: &str = "STAT limit_maxbytes 67108864\r\nSTAT accepting_conns 1\r\nSTAT listen_disabled_num 0\r\n\
    STAT time_in_listen_disabled_us 0\r\nSTAT threads 4\r\nSTAT conn_yields 0\r\nSTAT hash_power_level 16\r\n\
    STAT hash_bytes 524288\r\nSTAT hash_is_expanding 0\r\nSTAT slab_reassign_rescues 0\r\n\
    STAT slab_reassign_chunk_rescues 0\r\nSTAT slab_reassign_evictions_nomem 0\r\nSTAT slab_reassign_inline_reclaim 0\r\n\
    STAT slab_reassign_busy_items 0\r\nSTAT slab_reassign_busy_deletes 0\r\nSTAT slab_reassign_running 0\r\n\
    STAT slabs_moved 0\r\nSTAT lru_crawler_running 0\r\nSTAT lru_crawler_starts 3\r\n";
const LOGS: &str = "STAT malloc_fails 0\r\nSTAT log_worker_dropped 0\r\nSTAT log_worker_written 0\r\n\
    STAT log_watcher_skipped 0\r\nSTAT log_watcher_sent 0\r\nSTAT log_watchers 0\r\nSTAT unexpected_napi_ids 0\r\n\
    STAT round_robin_fallback 0\r\n";
const EVICTIONS: &str = "STAT slab_global_page_pool 0\r\nSTAT expired_unfetched 0\r\nSTAT evicted_unfetched 0\r\n\
    STAT evicted_active 0\r\nSTAT evictions 0\r\nSTAT reclaimed 0\r\nSTAT crawler_reclaimed 0\r\n\
    STAT crawler_items_checked 0\r\nSTAT lrutail_reflocked 0\r\nSTAT moves_to_cold 0\r\nSTAT moves_to_warm 0\r\n\
    STAT moves_within_lru 0\r\nSTAT direct_reclaims 0\r\nSTAT lru_bumps_dropped 0\r\nEND\r\n";

/// The answer to `stats settings`, as Debian configures it.
pub(super) const SETTINGS: &str = "STAT maxbytes 67108864\r\nSTAT maxconns 1024\r\nSTAT tcpport 11211\r\nSTAT udpport 0\r\n\
    STAT inter 0.0.0.0\r\nSTAT verbosity 0\r\nSTAT oldest 0\r\nSTAT evictions on\r\nSTAT domain_socket NULL\r\nSTAT umask 700\r\n\
    STAT shutdown_command no\r\nSTAT growth_factor 1.25\r\nSTAT chunk_size 48\r\nSTAT num_threads 4\r\n\
    STAT num_threads_per_udp 4\r\nSTAT stat_key_prefix :\r\nSTAT detail_enabled no\r\nSTAT reqs_per_event 20\r\n\
    STAT cas_enabled yes\r\nSTAT tcp_backlog 1024\r\nSTAT binding_protocol auto-negotiate\r\nSTAT auth_enabled_sasl no\r\n\
    STAT auth_enabled_ascii no\r\nSTAT item_size_max 1048576\r\nSTAT maxconns_fast yes\r\nSTAT hashpower_init 0\r\n\
    STAT slab_reassign yes\r\nSTAT slab_automove 1\r\nSTAT lru_crawler yes\r\nSTAT flush_enabled yes\r\nSTAT dump_enabled yes\r\n\
    STAT hash_algorithm murmur3\r\nSTAT lru_maintainer_thread yes\r\nSTAT lru_segmented yes\r\nSTAT idle_timeout 0\r\nEND\r\n";

/// The answer to `stats`.
pub(super) fn general(version: &str, items: usize, now: WallTime) -> String {
    let seconds = now.0 / 1_000_000;
    let uptime = seconds % RUN_SECONDS;
    let (user, system, connections) = (uptime / 2_100, uptime / 1_700, uptime / 113 + 2);
    let (read, written, juggles) = (connections * 41, connections * 1_310, uptime * 4);
    let bytes = items * 67;
    format!(
        "STAT pid 688\r\nSTAT uptime {uptime}\r\nSTAT time {seconds}\r\nSTAT version {version}\r\n\
         STAT libevent 2.1.12-stable\r\nSTAT pointer_size 64\r\nSTAT rusage_user {user}.120481\r\n\
         STAT rusage_system {system}.330144\r\nSTAT max_connections 1024\r\nSTAT curr_connections 2\r\n\
         STAT total_connections {connections}\r\n{CONNECTIONS}STAT bytes_read {read}\r\nSTAT bytes_written {written}\r\n\
         {LIMITS}STAT lru_maintainer_juggles {juggles}\r\n{LOGS}STAT bytes {bytes}\r\nSTAT curr_items {items}\r\n\
         STAT total_items {items}\r\n{EVICTIONS}"
    )
}
