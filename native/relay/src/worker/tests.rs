use super::*;
use crate::dial::{Dial, Dialled};
use crate::keep::{Held, Keeper, State};
use crate::spec::{LegOpen, OpenSpec, Sources};
use crate::sys::arena::Arena;
use crate::sys::tcp;
use msrp_proto::session::{Policy, Side};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

fn worker() -> (Worker, Arc<Queue<Notice>>) {
    let queue = || Arc::new(Queue::new().unwrap());
    let counters = Arc::new(ThreadCounters::default());
    let (config, notices) = (Arc::new(Config::default()), Arc::new(Queue::new().unwrap()));
    let told = Arc::clone(&notices);
    let (half_open, budget) = (HalfOpen::new(9), Budget::new(&config));
    let worker = Worker::new(config, half_open, None, budget, queue(), notices, counters);
    (worker.unwrap(), told)
}

fn opening(id: u64, config: &Config) -> Opening {
    let listen = "127.0.0.1:0".parse().unwrap();
    let options = tcp::Options::new(config, None);
    let own_uri = b"msrp://h:1/x;tcp".to_vec();
    let leg =
        || LegOpen { listen, own_uri: own_uri.clone(), peer_path: vec![], sources: Sources::Any };
    let spec = OpenSpec { policy: Policy::Aware, legs: [leg(), leg()], tos: None, idle: None };
    let listeners = [(); 2].map(|()| Held::alone(tcp::listen(listen, &options).unwrap()));
    let board = Arc::new(Board::new([listen, listen], clock::now(), true));
    Opening { id, spec, listeners, board, record: None }
}

#[test]
fn a_session_is_queued_once_however_much_it_has_to_move() {
    let (mut worker, _) = worker();
    let opening = opening(1, &worker.thread.config);
    worker.open(opening);
    for _ in 0..2 {
        for _ in 0..4 {
            worker.with_id(1, Pair::queue);
        }
        let key = worker.keys[&1];
        assert_eq!(std::mem::take(&mut worker.thread.runnable), [key]);
        worker.with(key, Pair::resume);
    }
}

#[test]
fn a_session_that_cannot_be_begun_is_closed() {
    let (mut worker, notices) = worker();
    let board = opening(1, &worker.thread.config).board;
    assert_eq!(worker.begin(1, &board, |_, _| panic!("expected by this test")), None);
    worker.thread.news.tell();
    let closed = NoticeKind::Closed(CloseReason::Internal);
    assert_eq!(notices.drain(), [Notice { session: 1, what: closed, failure: None }]);
    assert_eq!(board.report().stage, Stage::Closed);
    assert!(worker.pairs.is_empty() && worker.keys.is_empty());
}

/// Where nobody listens at a port that the kernel also chooses from, it may choose that very one.
#[test]
fn a_dial_that_has_reached_itself_has_reached_nobody() {
    let (mut worker, _) = worker();
    let thread = &mut worker.thread;
    let board = opening(1, &thread.config).board;
    let options = tcp::Options::new(&thread.config, None);
    let any = "127.0.0.1:0".parse().unwrap();
    let socket = tcp::dialler(any, any.ip(), &options).unwrap();
    let itself = tcp::local_address(&socket).unwrap();
    let mut dial = Dial::new((0, 1, Side::A), any.ip(), &[itself], options, thread);
    let begun = dial.go_on(Held::alone(socket), None, &board, thread);
    assert!(matches!(begun, Dialled::Connecting), "{begun:?}");
    let dialled = dial.advance(&board, thread);
    assert!(matches!(dialled, Dialled::Failed(Some(_))), "{dialled:?}");
}

/// In a process of its own, which is this program again.
#[test]
fn a_thread_that_cannot_go_on_ends_its_process() {
    const NAME: &str = "worker::tests::a_thread_that_cannot_go_on_ends_its_process";
    const CHILD: &str = "MSRPRELAY_TEST_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let (mut worker, _) = worker();
        worker.thread.poller = Poller::broken();
        return worker.run();
    }
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    let child = child.args(["--exact", NAME]).env(CHILD, "1").output().unwrap();
    let signal = std::os::unix::process::ExitStatusExt::signal(&child.status);
    assert_eq!(signal, Some(libc::SIGABRT), "{child:?}");
}

#[test]
fn a_panic_in_a_session_that_was_left_ends_it_and_no_other() {
    let (mut worker, notices) = worker();
    let flags = SocketFlags::CLOEXEC;
    let (keeper, _other) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    let keep = Keep::new(Arena::create().unwrap(), Keeper::new(keeper));
    let opening = opening(1, &worker.thread.config);
    let record = opening.write_down(&keep).unwrap();
    let state = State::decode(record.state()).unwrap();
    let (board, claims, pipes) = (opening.board, Default::default(), [None, None]);
    let left = Inheritance { id: 1, record, state, claims, pipes, held: Vec::new(), board };
    worker.thread.keep = Some(keep.clone());
    worker.inherit(left, |_, _, _| panic!("expected by this test"));
    worker.thread.news.tell();
    let closed = NoticeKind::Closed(CloseReason::Internal);
    assert_eq!(notices.drain(), [Notice { session: 1, what: closed, failure: None }]);
    assert_eq!((keep.arena.empty_hands(), keep.arena.records()), (vec![], vec![]));
    let mut counters = crate::Counters::default();
    counters.add(&worker.thread.counters);
    assert_eq!((counters.total.panics, counters.closed["internal"]), (1, 1));
}

#[test]
fn a_panic_ends_one_session_and_no_other() {
    let (mut worker, notices) = worker();
    for id in [1, 2] {
        let opening = opening(id, &worker.thread.config);
        worker.open(opening);
    }
    worker.with_id(1, |_, _| panic!("expected by this test"));
    worker.with_id(1, |_, _| unreachable!("it is gone"));
    assert_eq!(worker.pairs.len(), 1);
    worker.thread.news.tell();
    let told = notices.drain();
    let closed = NoticeKind::Closed(CloseReason::Internal);
    assert_eq!(told, [Notice { session: 1, what: closed, failure: None }]);
    let mut counters = crate::Counters::default();
    counters.add(&worker.thread.counters);
    assert_eq!((counters.total.panics, counters.closed["internal"]), (1, 1));
    worker.with_id(2, |pair, thread| pair.close(CloseReason::Deleted, Duration::ZERO, thread));
}
