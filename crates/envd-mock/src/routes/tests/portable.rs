//! A guest in which nothing real runs, on threads whose trees are resolved without the kernel's help: what a system
//! other than Linux has, all but its own calls.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use super::harness::{TestGuest, within};
use crate::guest::tree::Layer;
use crate::guest::{GuestConfig, Program};

/// Runs a test on such threads.
fn portably(test: impl Future<Output = ()> + Send + 'static) {
    let choose = || std::mem::forget(Layer::Portable.choose());
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().on_thread_start(choose).build().unwrap();
    runtime.block_on(async { tokio::spawn(test).await.unwrap() });
}

async fn alone(programs: Vec<Program>) -> TestGuest {
    TestGuest::of(GuestConfig { programs, programs_only: true, ..GuestConfig::default() }).await
}

impl TestGuest {
    async fn file(&self, method: &str, path: &str, body: &'static str) -> (u16, String) {
        let request = Request::builder().method(method).uri(format!("/files?path={path}&username=root"));
        let kind = "multipart/form-data; boundary=b";
        let request = request.header("content-type", kind).body(Body::from(body)).unwrap();
        let response = self.call(request, None).await;
        let status = response.status().as_u16();
        let bytes = within(axum::body::to_bytes(response.into_body(), usize::MAX)).await.unwrap();
        (status, String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn filesystem(&self, rpc: &str, message: Value) -> (u16, Value) {
        self.unary(&format!("filesystem.Filesystem/{rpc}"), message, None).await
    }

    async fn names(&self, path: &str) -> Vec<String> {
        let (_, listed) = self.filesystem("ListDir", json!({ "path": path, "depth": 9 })).await;
        let entries = listed["entries"].as_array().cloned().unwrap_or_default();
        let mut paths: Vec<_> =
            entries.iter().map(|entry| entry["path"].as_str().unwrap().to_owned()).collect();
        paths.sort();
        paths
    }
}

const FORM: &str =
    "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\nnew\r\n--b--\r\n";

#[test]
fn files_go_both_ways() {
    portably(async {
        let test = alone(Vec::new()).await;
        test.guest
            .stand()
            .tree
            .symlink("../other/../d", "/top/link", crate::guest::tree::Owner::ROOT)
            .unwrap();
        assert_eq!(test.file("POST", "/d/file", FORM).await.0, 200);
        test.guest.stand().tree.ensure_dir("/other", crate::guest::tree::Owner::ROOT).unwrap();
        assert_eq!(test.file("GET", "/top/link/file", "").await, (200, "new".to_owned()));
        assert_eq!(test.file("GET", "/d/../../d/gone", "").await.0, 404);
        assert_eq!(test.file("GET", "/d", "").await.0, 400);
        assert_eq!(test.names("/d").await, ["/d/file"]);
    });
}

#[test]
fn entries_are_made_moved_told_of_and_removed() {
    portably(async {
        let test = alone(Vec::new()).await;
        assert_eq!(test.filesystem("MakeDir", json!({ "path": "/a/b" })).await.0, 200);
        assert_eq!(test.file("POST", "/a/b/file", FORM).await.0, 200);
        let to = json!({ "source": "/a/b", "destination": "/a/new/c" });
        assert_eq!(test.filesystem("Move", to).await.0, 200);
        assert_eq!(test.names("/a").await, ["/a/new", "/a/new/c", "/a/new/c/file"]);
        let (status, told) = test.filesystem("Stat", json!({ "path": "/a/new/c/file" })).await;
        assert_eq!(status, 200);
        assert_eq!(
            (&told["entry"]["size"], &told["entry"]["permissions"]),
            (&json!("3"), &json!("-rw-r--r--"))
        );
        assert_eq!(test.filesystem("Remove", json!({ "path": "/a" })).await.0, 200);
        assert_eq!(test.filesystem("Stat", json!({ "path": "/a" })).await.1["code"], "not_found");
    });
}

#[test]
fn a_program_stands_in_for_a_command() {
    portably(async {
        let make = Program::named("sh").stdout("made\n").write_file("/out/made", "x").exit(3);
        let test = alone(vec![make]).await;
        let process = json!({ "process": { "cmd": "sh", "args": ["-c", "make"] } });
        let output = test.stream("process.Process/Start", process, None).await.output().await;
        assert_eq!((output.stdout.concat(), &output.end["exitCode"]), (b"made\n".to_vec(), &json!(3)));
        assert_eq!(test.names("/out").await, ["/out/made"]);
    });
}
