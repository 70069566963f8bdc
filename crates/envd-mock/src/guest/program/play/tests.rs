//! Programs played on a clock that is moved by hand, and on a tree of their own.

use std::sync::Mutex;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::guest::ids::Ids;
use crate::guest::program::{Act, Program};
use crate::time::Pace;

const MINUTE: Duration = Duration::from_secs(60);

/// Keeps what is said.
#[derive(Debug, Default, Clone)]
struct Heard(Arc<Mutex<Vec<(Stream, Bytes)>>>);

impl Outlet for Heard {
    async fn say(&self, stream: Stream, chunk: Bytes) {
        self.0.lock().unwrap().push((stream, chunk));
    }
}

impl Heard {
    fn text(&self) -> String {
        let heard = self.0.lock().unwrap();
        heard
            .iter()
            .map(|(_, chunk)| String::from_utf8_lossy(chunk).into_owned())
            .collect::<Vec<_>>()
            .join("|")
    }
}

struct Setup {
    dir: tempfile::TempDir,
    heard: Heard,
    signals: watch::Sender<Option<i32>>,
    time: Time,
}

impl Setup {
    fn new() -> Self {
        let (dir, heard) = (tempfile::tempdir().unwrap(), Heard::default());
        Self { dir, heard, signals: watch::Sender::new(None), time: Time::new(Pace::Manual) }
    }

    fn stage(&self, stdin: &'static [u8]) -> Stage<Heard> {
        let root = std::fs::File::open(self.dir.path()).unwrap();
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Stage {
            name: "it".to_owned(),
            asked: Asked {
                cmd: "it".to_owned(),
                args: vec!["a".to_owned()],
                env: Default::default(),
                cwd: "/work".to_owned(),
                user: "root".to_owned(),
            },
            owner: Owner::ROOT,
            outlet: self.heard.clone(),
            stdin: Stdin::new(stdin, false),
            time: self.time.clone(),
            tree: Arc::new(Tree::new(root.into(), Ids::Single { uid, gid }, None).unwrap()),
            signals: self.signals.subscribe(),
        }
    }

    fn run(&self, program: Program, stdin: &'static [u8]) -> impl Future<Output = Ending> + Send + 'static {
        let mut stage = self.stage(stdin);
        async move {
            let Act::Script { steps, finish } = &program.act else { panic!("{program:?} is no script") };
            match stage.play(steps).await {
                Ok(()) => stage.finish(*finish).await,
                Err(ending) => ending,
            }
        }
    }
}

#[tokio::test]
async fn a_wait_of_a_quarter_of_an_hour_ends_when_the_clock_is_moved() {
    let setup = Setup::new();
    let program = Program::named("it").stdout("before").wait(15 * MINUTE).stdout("after").exit(3);
    let running = tokio::spawn(setup.run(program, b""));
    assert_eq!(setup.time.sleeping().await, 15 * MINUTE);
    assert_eq!(setup.heard.text(), "before");
    setup.time.advance(14 * MINUTE).unwrap();
    assert!(!running.is_finished());
    setup.time.advance(MINUTE).unwrap();
    assert_eq!(running.await.unwrap(), Ending::Code(3));
    assert_eq!(setup.heard.text(), "before|after");
}

#[tokio::test]
async fn a_signal_ends_a_wait_a_reading_and_a_hang() {
    for program in [
        Program::named("it").stdout("up").wait(MINUTE),
        Program::named("it").stdout("up").hang(),
        Program::named("it").stdout("up").repeated(u64::MAX),
    ] {
        let setup = Setup::new();
        let running = tokio::spawn(setup.run(program, b""));
        while setup.heard.text().is_empty() {
            tokio::task::yield_now().await;
        }
        setup.signals.send(Some(15)).unwrap();
        assert_eq!(running.await.unwrap(), Ending::Signal(15));
    }
    let setup = Setup::new();
    let mut stage = setup.stage(b"");
    let (_writer, pipe) = tokio::io::duplex(1);
    stage.stdin = Stdin::new(pipe, false);
    setup.signals.send(Some(9)).unwrap();
    assert_eq!(stage.play(&[Step::Read(Read::Line)]).await, Err(Ending::Signal(9)));
}

#[tokio::test]
async fn a_file_is_whole_and_beside_the_working_directory() {
    let setup = Setup::new();
    let program =
        Program::named("it").read_line().write_file("{arg1}.txt", "x").mode(0o600).stdout("{stdin}");
    assert_eq!(setup.run(program, b"line\n").await, Ending::Code(0));
    assert_eq!(std::fs::read(setup.dir.path().join("work/a.txt")).unwrap(), b"x");
    assert_eq!(setup.heard.text(), "line");
}

#[tokio::test]
async fn a_file_that_cannot_be_written_ends_it_with_1() {
    let setup = Setup::new();
    let program = Program::named("it").write_file("/", "x").stdout("not reached");
    assert_eq!(setup.run(program, b"").await, Ending::Code(1));
    assert!(setup.heard.text().starts_with("it: /: "), "{}", setup.heard.text());
}

proptest! {
    #[test]
    fn chunks_come_out_as_they_were_written(chunks in proptest::collection::vec((any::<bool>(), "[a-z]{1,9}", 0..4_u64), 0..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let setup = Setup::new();
        let said = |program: Program, (out, text, times): &(bool, String, u64)| {
            if *out { program.stdout(text) } else { program.stderr(text) }.repeated(*times)
        };
        let program = chunks.iter().fold(Program::named("it"), said);
        prop_assert_eq!(runtime.block_on(setup.run(program, b"")), Ending::Code(0));
        let expected: Vec<_> = chunks.iter().flat_map(|(out, text, times)| {
            let stream = if *out { Stream::Out } else { Stream::Err };
            (0..*times).map(move |_| (stream, Bytes::from(text.clone())))
        }).collect();
        prop_assert_eq!(&*setup.heard.0.lock().unwrap(), &expected);
    }
}
