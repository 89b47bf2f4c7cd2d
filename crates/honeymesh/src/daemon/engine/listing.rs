//! Long lists of bans, read a little at a time between inputs, so that no reader delays a ban.

use super::Engine;
use crate::daemon::enforcer::Enforcer;
use honeymesh_api::{BANS_PAGE_MAX, BansQuery, Page, Refusal, RefusalKind, Reply, Response};
use honeymesh_format::BanJson;
use honeymesh_types::{Ban, Subject};
use std::ops::Bound;

/// Bans that are read between two inputs.
const BANS_PER_TURN: usize = 500;
/// Lists that may be under way; one more is refused.
const LISTINGS_MAX: usize = 16;

/// A list under way.
#[derive(Debug)]
pub struct Listing {
    query: BansQuery,
    /// Behind which subject to go on; before the first one if nothing was read yet.
    from: Bound<Subject>,
    /// Each with its drops, and whether the kernel has refused it.
    found: Vec<(Ban, u64, bool)>,
    reply: Reply,
}

impl<K: Enforcer> Engine<K> {
    /// Begins a list; [`Engine::list_some`] goes on with it.
    pub(super) fn list(&mut self, query: BansQuery, reply: Reply) {
        if self.listings.len() >= LISTINGS_MAX {
            return reply
                .answer(Err(Refusal::new(RefusalKind::Busy, "too many lists of bans are being read; try again in a moment")));
        }
        let mut listing = Listing { query, from: Bound::Unbounded, found: Vec::new(), reply };
        listing.from = query.after.map_or(Bound::Unbounded, Bound::Excluded);
        if let Some(subject) = query.subject {
            self.list_covering(&mut listing, subject);
        }
        self.listings.push_back(listing);
    }

    /// What covers `subject` comes first in the order of subjects; what lies inside it follows from there on.
    fn list_covering(&self, listing: &mut Listing, subject: Subject) {
        let mut covering = self.node.covering(&subject);
        covering.retain(|ban| ban.subject != subject && listing.query.after.is_none_or(|after| ban.subject > after));
        covering.sort_unstable_by_key(|ban| ban.subject);
        listing.found = covering.into_iter().map(|ban| self.as_held(ban)).collect();
        if listing.query.after.is_none_or(|after| after < subject) {
            listing.from = Bound::Included(subject);
        }
    }

    fn as_held(&self, ban: Ban) -> (Ban, u64, bool) {
        let (drops, is_refused) = (self.kernel.drops(&ban.subject), self.is_refused(&ban.subject));
        (ban, drops, is_refused)
    }

    /// Reads a little more of the list that waits longest.
    pub(super) fn list_some(&mut self) {
        let Some(mut listing) = self.listings.pop_front() else { return };
        let limit = listing.query.limit.clamp(1, BANS_PAGE_MAX);
        let inside = |ban: &Ban| listing.query.subject.is_none_or(|subject| ban.subject.is_within(&subject.net()));
        // One more than the page tells whether there is another page.
        let room = (limit + 1).saturating_sub(listing.found.len()).min(BANS_PER_TURN);
        let more: Vec<Ban> = self.node.bans_from(listing.from).take_while(inside).take(room).collect();
        let is_over = more.len() < room || listing.found.len() + more.len() > limit;
        if let Some(last) = more.last() {
            listing.from = Bound::Excluded(last.subject);
        }
        listing.found.extend(more.into_iter().map(|ban| self.as_held(ban)));
        if !is_over {
            // It is long: the kernel will be asked for very many, until no list is under way. Said again, it costs nothing.
            self.kernel.look_everywhere(true);
            return self.listings.push_back(listing);
        }
        if self.listings.is_empty() {
            self.kernel.look_everywhere(false);
        }
        answer(listing, limit);
    }
}

/// Turns the list into its answer on another thread: it may be long.
fn answer(mut listing: Listing, limit: usize) {
    tokio::task::spawn_blocking(move || {
        let is_last = listing.found.len() <= limit;
        listing.found.truncate(limit);
        let next = listing.found.last().filter(|_| !is_last).map(|(ban, ..)| ban.subject.to_string());
        let items =
            listing.found.iter().map(|(ban, drops, is_refused)| BanJson::new(ban, *drops).if_refused(*is_refused)).collect();
        listing.reply.answer(Ok(Response::Bans(Page { items, next })));
    });
}
