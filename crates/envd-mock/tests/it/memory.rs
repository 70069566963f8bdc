//! Constant memory: a gibibyte goes through a mock that never holds more than a little of it.

use std::fs;

use futures::StreamExt as _;

use envd_client::Client;

use crate::binary::Binary;

const GIB: u64 = 1 << 30;
const CHUNK: usize = 1 << 20;

/// Peak resident memory of a process since it was last reset, in bytes.
pub(crate) fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

pub(crate) fn reset_peak(pid: u32) {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
}

#[tokio::test]
async fn a_gibibyte_up_and_down_takes_less_than_32_mebibytes() {
    let mock = Binary::start(&[]);
    let client = Client::builder().base_url(mock.field("url")).gzip(false).build().unwrap();
    client.write_file("/tmp/warm", "up").await.unwrap();
    client.read_file("/tmp/warm").await.unwrap();
    reset_peak(mock.pid());
    let before = peak(mock.pid());

    let chunk = bytes::Bytes::from(vec![7; CHUNK]);
    let chunks =
        futures::stream::iter(0..GIB / CHUNK as u64).map(move |_| Ok::<_, std::io::Error>(chunk.clone()));
    client.write_file_stream("/tmp/big", chunks).await.unwrap();
    assert_eq!(client.stat("/tmp/big").await.unwrap().size, 1 << 30);

    let mut body = client.read_file_stream("/tmp/big").await.unwrap();
    let mut read = 0;
    while let Some(chunk) = body.next().await {
        read += chunk.unwrap().len() as u64;
    }
    assert_eq!(read, GIB);

    let grown = peak(mock.pid()).saturating_sub(before);
    assert!(grown < 32 << 20, "grew by {} MiB", grown >> 20);
}
