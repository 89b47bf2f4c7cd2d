// The dashboard: asks the API with the token, follows the live stream, and shows everything as text.
"use strict";

const TOKEN_KEY = "honeymesh.token";
const REFRESH_MS = 5000;
const SOON_MS = 150;
const TICK_MS = 5000;
const EVENT_ROWS_MAX = 200;
const BAN_ROWS_MAX = 500;
const TEXT_CHARS_MAX = 160;
const PAUSED_MAX = 1000;

const byId = (id) => document.getElementById(id);
const state = { token: "", lastEvent: "", paused: false, waiting: [], missed: 0, refreshTimer: 0, abort: null, session: 0 };

// ---- text: everything a stranger chose goes through here ----

// What a terminal or a reader's eye would obey is written out, as the command line does it: crates/types/src/text.rs has the
// list, and a test compares the two for every character there is. A fifth mark on one letter is written out, too.
const UNSAFE = new RegExp("[\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u2028-\\u202e"
  + "\\u2060-\\u206f\\u2800\\u3164\\ufdd0-\\ufdef\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb\\u{13430}-\\u{1343f}\\u{1bca0}-\\u{1bca3}"
  + "\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}]|\\p{Noncharacter_Code_Point}|\\p{Surrogate}|(?<=[\\p{Mn}\\p{Me}]{4})[\\p{Mn}\\p{Me}]", "gu");

function shown(value) {
  const escape = (c) => ({ "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0" })[c] || `\\u{${c.codePointAt(0).toString(16)}}`;
  return String(value).replace(UNSAFE, escape);
}

function cut(text) {
  const chars = Array.from(text);
  return chars.length > TEXT_CHARS_MAX ? chars.slice(0, TEXT_CHARS_MAX).join("") + "…" : text;
}

function el(tag, classes, ...children) {
  const node = document.createElement(tag);
  if (classes) node.className = classes;
  for (const child of children) {
    if (child === null || child === undefined) continue;
    node.append(child instanceof Node ? child : document.createTextNode(shown(child)));
  }
  return node;
}

function chip(word, tone) {
  return el("span", `chip ${tone ? `tone-${tone}` : ""}`, word);
}

const GRADE_TONES = { spoofable: "", reactive: "info", handshake: "info", payload: "honey", hostile: "danger", operator: "violet" };
const KIND_TONES = { visit: "honey", scan: "info", ban: "danger", unban: "good", expire: "good", mesh: "violet", audit: "violet" };
const STATE_TONES = { alive: "good", suspect: "honey", down: "danger" };
const MODE_TONES = { enforce: "good", observe: "honey", lockdown: "danger" };

// ---- numbers and times ----

const whole = new Intl.NumberFormat("en");

function span(seconds, units = 2) {
  const parts = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  let rest = Math.max(0, Math.floor(seconds));
  const words = [];
  for (const [unit, size] of parts) {
    const count = Math.floor(rest / size);
    rest %= size;
    if (count > 0) words.push(`${count} ${unit}`);
    else if (words.length > 0) break;
    if (words.length === units) break;
  }
  return words.join(" ") || "0 s";
}

function clock(iso) {
  const date = new Date(iso);
  const today = date.toDateString() === new Date().toDateString();
  const day = today ? "" : `${date.toLocaleDateString([], { month: "short", day: "numeric" })} `;
  const node = el("time", "", day + date.toLocaleTimeString([], { hour12: false }));
  node.dateTime = iso;
  node.title = iso;
  return node;
}

function relativeText(iso) {
  const seconds = (new Date(iso).getTime() - Date.now()) / 1000;
  return seconds >= 0 ? `in ${span(seconds)}` : `${span(-seconds, 1)} ago`;
}

function relative(iso, never) {
  if (!iso) return el("span", "", never);
  const node = el("time", "", relativeText(iso));
  node.dateTime = iso;
  node.title = iso;
  node.dataset.relative = "";
  return node;
}

function tick() {
  for (const node of document.querySelectorAll("time[data-relative]")) node.textContent = relativeText(node.dateTime);
}

// ---- the API ----

class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  const headers = { authorization: `Bearer ${state.token}`, ...options.headers };
  const response = await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit", redirect: "error" });
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  throw new Refused(response.status, problem.detail || `the daemon answered ${response.status}`);
}

const get = async (path) => (await ask(path)).json();

// ---- tables ----

// Rows are kept by key and changed in place, so that focus and open details survive a refresh.
function fill(body, items, keyOf, build) {
  const old = new Map(Array.from(body.children, (row) => [row.dataset.key, row]));
  const rows = items.map((item) => {
    const key = keyOf(item);
    const stamp = JSON.stringify(item);
    const known = old.get(key);
    if (known && known.dataset.stamp === stamp) return known;
    const row = build(item);
    row.dataset.key = key;
    row.dataset.stamp = stamp;
    if (known && known.contains(document.activeElement)) queueMicrotask(() => row.querySelector("button")?.focus());
    return row;
  });
  if (rows.length !== body.children.length || rows.some((row, index) => row !== body.children[index])) body.replaceChildren(...rows);
}

function say(id, text) {
  byId(id).textContent = text;
}

// ---- bans ----

function banRow(ban) {
  const button = el("button", "small", "Unban");
  button.type = "button";
  button.setAttribute("aria-label", `Unban ${ban.subject}`);
  button.addEventListener("click", () => unban(ban.subject, button));
  const subject = el("td", "mono", ban.subject, ban.note ? el("div", "note", cut(shown(ban.note))) : null);
  return el("tr", "",
    subject,
    el("td", "", ...ban.reasons.map((reason) => chip(reason, reason === "manual" ? "violet" : reason === "mesh" ? "info" : "honey"))),
    el("td", "mid", chip(ban.grade, GRADE_TONES[ban.grade])),
    el("td", "wide", ban.scope === "dark" ? "dark ports" : ban.scope, ban.enforced ? null : ban.refused ? chip("refused", "danger") : chip("observed", "")),
    el("td", "wide", cut(shown(ban.origins.join(", ")))),
    el("td", "wide time", relative(ban.since, "")),
    el("td", "time", relative(ban.until, "never")),
    el("td", "number mid", whole.format(ban.drops)),
    el("td", "act", button));
}

function showBans(bans, total) {
  fill(byId("bans"), bans, (ban) => ban.subject, banRow);
  say("bans-count", bans.length < total ? `${whole.format(bans.length)} of ${whole.format(total)}` : whole.format(bans.length));
  const filtered = byId("bans-filter").value.trim();
  say("bans-state", bans.length > 0 ? "" : filtered ? "No ban touches this address or prefix." : "Nobody is banned. Whoever touches a trap will be.");
}

function tell(text, bad) {
  byId("ban-result").classList.toggle("bad", Boolean(bad));
  say("ban-result", shown(text));
}

async function order(action, control) {
  control.disabled = true;
  try {
    const done = await (await action()).json();
    tell(done.detail, false);
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return leave(error.message);
    tell(error instanceof Refused ? error.message : "The daemon cannot be reached; nothing was changed.", true);
  } finally {
    control.disabled = false;
    refreshSoon();
  }
}

const unban = (subject, button) => order(() => ask(`/api/v1/bans/${encodeURIComponent(subject)}`, { method: "DELETE" }), button);

function ban(submit) {
  submit.preventDefault();
  const body = { subject: byId("ban-subject").value.trim(), local: byId("ban-local").checked };
  if (byId("ban-ttl").value) body.ttl = byId("ban-ttl").value;
  if (byId("ban-note").value.trim()) body.note = byId("ban-note").value.trim();
  const headers = { "content-type": "application/json" };
  const post = async () => {
    const answer = await ask("/api/v1/bans", { method: "POST", headers, body: JSON.stringify(body) });
    byId("ban-form").reset();
    return answer;
  };
  order(post, byId("ban-form").querySelector("button"));
}

// ---- events ----

function payloadText(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.slice(0, 2000));
}

function summary(event) {
  const fields = event.fields || {};
  if (fields.username !== undefined) return fields.password === undefined ? fields.username : `${fields.username} / ${fields.password}`;
  const known = fields.path ?? fields.request ?? fields.client ?? fields.text ?? fields.detail;
  if (known !== undefined) return known;
  if (event.reasons) return event.reasons.join(", ") + (event.until === null ? " for ever" : "");
  const first = Object.entries(fields)[0];
  if (first) return `${first[0]}: ${first[1]}`;
  if (event.bytes) return `${whole.format(event.bytes)} bytes`;
  return "";
}

function facts(event) {
  const list = el("dl");
  const fact = (name, value) => list.append(el("dt", "", cut(shown(name))), el("dd", "mono", shown(value)));
  for (const [name, value] of Object.entries(event.fields || {})) fact(name, value);
  if (event.entropy !== undefined) fact("entropy", `${event.entropy} bits per byte`);
  if (event.bytes !== undefined) fact("bytes", whole.format(event.bytes));
  if (event.until) fact("until", event.until);
  if (event.payload_base64) fact("payload", payloadText(event.payload_base64));
  fact("node", event.node);
  fact("event", event.id);
  return list;
}

function eventRow(event) {
  const who = event.source ? event.source + (event.source_port ? ` :${event.source_port}` : "") : event.subject || event.node;
  const where = event.trap ? `${event.trap} :${event.port ?? ""}` : event.port ? `:${event.port}${event.transport ? `/${event.transport}` : ""}` : "";
  const details = el("details", "", el("summary", "", cut(shown(summary(event))) || "details"), facts(event));
  const row = el("tr", "",
    el("td", "time", clock(event.at)),
    el("td", "", chip(event.kind, KIND_TONES[event.kind])),
    el("td", "mono", who),
    el("td", "wide", where),
    el("td", "mid", event.grade ? chip(event.grade, GRADE_TONES[event.grade]) : ""),
    el("td", "number wide", event.score ?? ""),
    el("td", "what", details));
  row.dataset.key = event.id;
  return row;
}

const wanted = (event) => !byId("events-kind").value || event.kind === byId("events-kind").value;

function addEvent(event) {
  state.lastEvent = event.id;
  if (["ban", "unban", "expire", "mesh"].includes(event.kind)) refreshSoon();
  if (!wanted(event)) return;
  if (state.paused) {
    state.waiting.push(event);
    if (state.waiting.length > PAUSED_MAX) state.waiting.shift();
    return showPause();
  }
  showEvent(event, true);
}

function showEvent(event, fresh) {
  const body = byId("events");
  if (Array.from(body.children).some((row) => row.dataset.key === event.id)) return;
  const row = eventRow(event);
  if (fresh) row.classList.add("fresh");
  body.prepend(row);
  while (body.children.length > EVENT_ROWS_MAX) body.lastElementChild.remove();
  showEventsState();
}

function showEventsState() {
  const empty = byId("events").children.length === 0;
  const missed = state.missed > 0 ? `This page was too slow for ${whole.format(state.missed)} events; the export has them all.` : "";
  say("events-state", empty ? "Nothing has happened yet. Events appear here as they happen." : missed);
}

async function loadEvents() {
  const kind = byId("events-kind").value;
  const events = await get(`/api/v1/events?limit=100${kind ? `&kind=${encodeURIComponent(kind)}` : ""}`);
  if (!kind && events.length > 0) state.lastEvent = events[0].id;
  byId("events").replaceChildren(...events.map(eventRow));
  showEventsState();
}

function showPause() {
  const button = byId("events-pause");
  button.setAttribute("aria-pressed", String(state.paused));
  button.textContent = state.paused ? `Resume${state.waiting.length ? ` (${state.waiting.length} new)` : ""}` : "Pause";
}

function pause() {
  state.paused = !state.paused;
  if (!state.paused) state.waiting.splice(0).forEach((event) => showEvent(event, true));
  showPause();
}

// ---- the live stream: fetch instead of EventSource, which cannot send the token ----

function link(kind, text) {
  byId("link").className = `link ${kind}`;
  say("link", text);
  byId("offline").hidden = kind !== "lost";
}

async function follow(session) {
  let wait = 500;
  while (session === state.session) {
    try {
      state.abort = new AbortController();
      const headers = state.lastEvent ? { "last-event-id": state.lastEvent } : {};
      const response = await ask("/api/v1/events/stream", { headers, signal: state.abort.signal });
      link("live", "live");
      wait = 500;
      refreshSoon();
      // What happened before the stream began, where nothing was known to go on from.
      if (!state.lastEvent) await loadEvents();
      await readStream(response.body.pipeThrough(new TextDecoderStream()).getReader());
    } catch (error) {
      if (session !== state.session) return;
      if (error instanceof Refused && error.status === 401) return leave(error.message);
    }
    if (session !== state.session) return;
    link("lost", "disconnected");
    await new Promise((done) => setTimeout(done, wait));
    wait = Math.min(wait * 2, 10000);
  }
}

async function readStream(reader) {
  let buffer = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    buffer += value;
    const blocks = buffer.split("\n\n");
    buffer = blocks.pop();
    blocks.forEach(readBlock);
  }
}

function readBlock(block) {
  let kind = "message";
  const data = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) kind = line.slice(6).trim();
    if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
  }
  if (data.length === 0) return;
  const value = JSON.parse(data.join("\n"));
  if (kind === "lag") {
    state.missed += value.missed;
    showEventsState();
  } else {
    addEvent(value);
  }
}

// ---- status, peers, traps ----

function showStatus(status) {
  document.title = `${status.node} · HoneyMesh`;
  say("node", shown(status.node));
  const mode = byId("mode");
  mode.className = `badge tone-${MODE_TONES[status.mode] || "info"}`;
  mode.textContent = status.mode;
  say("tile-bans", whole.format(status.bans.total));
  const reasons = Object.entries(status.bans.by_reason).map(([reason, count]) => `${whole.format(count)} ${reason}`);
  say("tile-bans-note", reasons.join(" · "));
  say("tile-drops", whole.format(status.kernel.dropped));
  say("tile-drops-note", status.mode === "observe" ? `${whole.format(status.kernel.would_drop)} would be` : `${whole.format(status.kernel.packets)} judged`);
  const visits = Object.values(status.counts.visits).reduce((sum, count) => sum + count, 0);
  say("tile-visits", whole.format(visits));
  say("tile-visits-note", `${whole.format(status.kernel.knocks)} knocks · ${whole.format(status.kernel.scans)} scans`);
  const alive = status.clusters.reduce((sum, cluster) => sum + cluster.members_alive, 0);
  const down = status.clusters.reduce((sum, cluster) => sum + cluster.members_down, 0);
  say("tile-peers", whole.format(alive));
  say("tile-peers-note", status.clusters.length === 0 ? "no cluster configured" : down > 0 ? `${down} down` : "all alive");
  say("tile-uptime", span(status.uptime_seconds));
  say("tile-uptime-note", status.ready ? "ready" : "starting");
  showWarnings(status);
  showGuards(status);
  say("foot", shown(`HoneyMesh ${status.version}`));
}

function showWarnings(status) {
  const lines = [...status.warnings];
  if (status.store.failing) lines.push(`The store cannot write: ${status.store.failing}`);
  byId("warnings").hidden = lines.length === 0;
  byId("warnings").replaceChildren(...lines.map((line) => el("li", "", line)));
}

function guardRow(guard) {
  return el("tr", "",
    el("td", "", guard.name),
    el("td", "", guard.plays, guard.good ? null : chip("off", "danger")),
    el("td", "mono", guard.on),
    el("td", "number", guard.open),
    el("td", "number", guard.all));
}

function showGuards(status) {
  const traps = status.traps.map((trap) => ({
    name: trap.name, plays: trap.service, on: trap.listen.join(" "), open: whole.format(trap.active), all: whole.format(trap.sessions), good: true,
  }));
  const steering = (at) => at.steering ? `, steering ${at.steering}` : "";
  const interfaces = status.interfaces.map((at) => ({
    name: at.name, plays: "kernel guard", on: `XDP ${at.xdp_mode}${steering(at)}`, open: "", all: "", good: at.attached && at.steering !== "detached",
  }));
  const all = [...interfaces, ...traps];
  fill(byId("guards"), all, (guard) => `${guard.name} ${guard.on}`, guardRow);
  say("guards-state", all.length > 0 ? "" : "No interface is guarded and no trap is set.");
}

function peerRow(peer) {
  const refused = Object.values(peer.refused).reduce((sum, count) => sum + count, 0);
  const name = el("td", "", peer.name || "unnamed", el("div", "note mono", peer.address));
  name.title = `identity ${peer.id}`;
  return el("tr", "",
    name,
    el("td", "", peer.cluster, el("div", "note", `trust: ${peer.trust}`)),
    el("td", "", chip(peer.state, STATE_TONES[peer.state])),
    el("td", "number", whole.format(peer.records)),
    el("td", "number", whole.format(refused)));
}

function showPeers(peers) {
  fill(byId("peers"), peers, (peer) => `${peer.cluster} ${peer.id}`, peerRow);
  say("peers-count", peers.length > 0 ? whole.format(peers.length) : "");
  say("peers-state", peers.length > 0 ? "" : "This node has met no other. Add a [[cluster]] with join addresses.");
}

// ---- refreshing ----

async function refresh() {
  const session = state.session;
  try {
    const filter = byId("bans-filter").value.trim();
    const query = `limit=${BAN_ROWS_MAX}${filter ? `&subject=${encodeURIComponent(filter)}` : ""}`;
    const bans = get(`/api/v1/bans?${query}`).catch((error) => {
      if (error instanceof Refused && error.status === 400 && filter) return null;
      throw error;
    });
    const [status, peers, listed] = await Promise.all([get("/api/v1/status"), get("/api/v1/peers"), bans]);
    if (session !== state.session) return;
    showStatus(status);
    showPeers(peers);
    if (listed) showBans(listed, filter ? listed.length : status.bans.total);
    else showBans([], 0);
  } catch (error) {
    if (session !== state.session) return;
    if (error instanceof Refused && error.status === 401) return leave(error.message);
  }
  if (session === state.session) schedule(REFRESH_MS);
}

function schedule(delay) {
  clearTimeout(state.refreshTimer);
  state.refreshTimer = setTimeout(refresh, delay);
}

const refreshSoon = () => schedule(SOON_MS);

// ---- coming and going ----

async function enter(token) {
  state.token = token;
  try {
    await get("/api/v1/status");
  } catch (error) {
    state.token = "";
    const wrong = error instanceof Refused && error.status === 401;
    return leave(wrong ? "This token is not accepted." : error instanceof Refused ? error.message : "The daemon cannot be reached.");
  }
  sessionStorage.setItem(TOKEN_KEY, token);
  state.session += 1;
  const session = state.session;
  byId("gate").hidden = true;
  byId("board").hidden = false;
  byId("session").hidden = false;
  byId("token").value = "";
  link("", "connecting");
  await loadEvents().catch(() => showEventsState());
  refresh();
  follow(session);
}

function leave(reason) {
  sessionStorage.removeItem(TOKEN_KEY);
  clearTimeout(state.refreshTimer);
  state.abort?.abort();
  Object.assign(state, { token: "", lastEvent: "", waiting: [], paused: false, missed: 0, session: state.session + 1 });
  for (const id of ["bans", "events", "peers", "guards", "warnings"]) byId(id).replaceChildren();
  for (const id of ["node", "ban-result", "foot"]) say(id, "");
  document.title = "HoneyMesh";
  byId("board").hidden = true;
  byId("session").hidden = true;
  byId("gate").hidden = false;
  say("gate-error", reason || "");
  byId("token").focus();
}

byId("enter").addEventListener("submit", async (submit) => {
  submit.preventDefault();
  const button = byId("enter").querySelector("button");
  button.disabled = true;
  say("gate-error", "");
  await enter(byId("token").value.trim());
  button.disabled = false;
});
byId("leave").addEventListener("click", () => leave(""));
byId("ban-form").addEventListener("submit", ban);
byId("bans-filter").addEventListener("input", refreshSoon);
byId("events-pause").addEventListener("click", pause);
byId("events-kind").addEventListener("change", () => loadEvents().catch(() => {}));

setInterval(tick, TICK_MS);
const kept = sessionStorage.getItem(TOKEN_KEY);
if (kept) enter(kept);
else byId("token").focus();
