//! From decisions to sockets.

use msrp_proto::session::{Input, LegReason, NoticeKind, Output, Policy, Side};
use msrp_proto::{BindAnswer, PathPair, Rewriter, bind_request};
use rustix::rand::{GetRandomFlags, getrandom};

use super::Pair;
use crate::board::LegState;
use crate::dial::{Dial, OwnBind};
use crate::leg::{Leg, Sent};
use crate::listener::Door;
use crate::mover::Direction;
use crate::ring::RingWhat;
use crate::sys::tcp;
use crate::thread::Thread;

impl Pair {
    /// Tells the session what happened and does what follows.
    pub(super) fn feed(&mut self, input: Input, thread: &mut Thread) {
        self.life.handle(input, thread.now);
        while let Some(output) = self.life.poll() {
            self.carry_out(output, thread);
        }
        self.board.set_stage(self.life.stage());
    }

    fn carry_out(&mut self, output: Output, thread: &mut Thread) {
        match output {
            Output::Abort => self.abort(thread),
            Output::CancelDial(side) => self.end(side).cancel_dial(thread),
            Output::Close => self.end_all(thread, Leg::close),
            Output::CloseListener(side) => self.close_listener(side, thread),
            Output::Dial(side) => self.dial(side, thread),
            Output::Drop(side) => {
                self.end(side).drop_leg(thread);
                self.board.leg(side).set_state(LegState::Listening);
            }
            Output::Join => self.join(thread),
            Output::Listen(side) => self.listen(side, thread),
            Output::Notify(notice) => self.notify(notice, thread),
            Output::Part => self.part(thread),
            Output::SendBind(side) => self.send_bind(side, thread),
            Output::ShutdownWrite(side) => self.shutdown_write(side, thread),
        }
    }

    fn close_listener(&mut self, side: Side, thread: &Thread) {
        let end = self.end(side);
        if let Some(door) = &mut end.door {
            door.close_listener(thread);
        }
        end.door.take_if(|door| door.is_idle());
    }

    fn listen(&mut self, side: Side, thread: &mut Thread) {
        let (key, options) = (self.key, tcp::Options::new(&thread.config, self.tos));
        let end = self.end(side);
        if end.door.as_ref().is_some_and(|door| door.is_listening()) {
            return;
        }
        let Ok(listener) = tcp::listen(end.local, &options) else {
            return thread.counters.refused("port-lost");
        };
        match &mut end.door {
            Some(door) => door.open(listener, thread),
            None => end.door = Some(Box::new(Door::new(key, side, listener, thread))),
        }
    }

    fn dial(&mut self, side: Side, thread: &mut Thread) {
        let (key, options) = (self.key, tcp::Options::new(&thread.config, self.tos));
        let end = &mut self.ends[side.index()];
        let mut dial = Dial::new((key, side), end.local.ip(), &end.targets, options, thread);
        let dialled = dial.next(&self.board, thread);
        end.dial = Some(Box::new(dial));
        self.board.leg(side).set_state(LegState::Dialling);
        self.dialled(side, dialled, thread);
    }

    fn send_bind(&mut self, side: Side, thread: &mut Thread) {
        let end = &mut self.ends[side.index()];
        let (Some(leg), Ok(tid), Ok(message_id)) = (&mut end.leg, ident(), ident()) else {
            return self.feed(Input::Fault, thread);
        };
        let request = bind_request(&end.path.join(&b' '), &end.own_uri, &tid, &message_id);
        end.own_bind = Some(Box::new(OwnBind::new(BindAnswer::new(&tid, thread.config.limits))));
        thread.counters.own_binds(1);
        self.board.event(thread.now, Some(side), RingWhat::OwnBind, 0);
        match leg.send(&[std::io::IoSlice::new(&request)]) {
            Sent::Bytes(n) => self.board.leg(side).add_out(n),
            // Its end is noticed where the answer is awaited.
            Sent::Nowhere => {}
            Sent::Broken(how) => self.lost(side, how, thread),
        }
    }

    fn join(&mut self, thread: &mut Thread) {
        let flows = Side::BOTH.map(|side| {
            let rewriter = self.rewriter(side, thread);
            let early = std::mem::take(&mut self.end(side).early);
            Direction::new(side, rewriter, early, thread.now)
        });
        self.flows = Some(Box::new(flows));
        for side in Side::BOTH {
            self.end(side).targets = Vec::new();
            self.board.leg(side).set_state(LegState::Joined);
        }
        thread.counters.joined(1);
        // Its turn comes when the outputs before and behind this one are carried out.
        thread.runnable.push(self.key);
    }

    fn rewriter(&self, from: Side, thread: &Thread) -> Option<Box<Rewriter>> {
        if self.policy != Policy::Aware {
            return None;
        }
        let (sender, receiver) = (&self.ends[from.index()], &self.ends[from.other().index()]);
        let paths = PathPair::new(&sender.own_uri, &sender.path, &receiver.path, &receiver.own_uri);
        Some(Box::new(Rewriter::new(paths, thread.config.limits)))
    }

    fn shutdown_write(&mut self, side: Side, thread: &Thread) {
        if let Some(leg) = &mut self.end(side).leg {
            leg.fin();
        }
        self.board.event(thread.now, Some(side), RingWhat::FinSent, 0);
        for side in Side::BOTH {
            self.board.leg(side).set_state(LegState::Draining);
        }
    }

    fn abort(&mut self, thread: &Thread) {
        for side in Side::BOTH {
            if self.end(side).leg.is_some() {
                self.board.leg(side).set_reason(LegReason::Aborted);
                self.board.event(thread.now, Some(side), RingWhat::Aborted, 0);
            }
        }
        self.end_all(thread, Leg::reset);
    }

    /// Lets go of everything; legs in the manner of `last`.
    fn end_all(&mut self, thread: &Thread, last: fn(Leg, &Thread)) {
        for side in Side::BOTH {
            let end = self.end(side);
            end.shut_door(thread);
            if let Some(leg) = end.leg.take() {
                last(leg, thread);
            }
            end.cancel_dial(thread);
            self.board.leg(side).set_state(LegState::Closed);
        }
        self.flows = None;
    }

    fn notify(&mut self, notice: NoticeKind, thread: &mut Thread) {
        match notice {
            NoticeKind::Bound(side) => {
                self.board.leg(side).set_state(LegState::Bound);
                self.board.event(thread.now, Some(side), RingWhat::Bound, 0);
            }
            NoticeKind::Joined => self.board.event(thread.now, None, RingWhat::Joined, 0),
            NoticeKind::DialFailed(side) => {
                self.board.leg(side).set_state(LegState::Listening);
                self.board.event(thread.now, Some(side), RingWhat::DialFailed, 0);
            }
            NoticeKind::LegLost(..) => {}
            NoticeKind::Closed(reason) => {
                self.over = true;
                self.board.set_reason(reason);
                self.board.set_stage(self.life.stage());
                self.board.event(thread.now, reason.side(), RingWhat::Closed, 0);
                thread.counters.closed(reason);
            }
        }
        thread.notify(self.id, notice);
    }
}

/// 128 random bits as an `ident` of RFC 4975 §9.
fn ident() -> rustix::io::Result<[u8; 32]> {
    let mut random = [0; 16];
    getrandom(&mut random, GetRandomFlags::empty())?;
    let hex = |nibble: u8| b"0123456789abcdef"[usize::from(nibble & 15)];
    Ok(std::array::from_fn(|i| hex(random[i / 2] >> (4 * (i % 2)))))
}
