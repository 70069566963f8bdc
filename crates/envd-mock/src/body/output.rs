//! What a process says, inside the envelopes of Start and Connect: how much of it an envelope holds, and the same event
//! cut in two. Pure. Messages must not be compressed; the edge asks the guest for plain ones.

use bytes::Bytes;
use envd_proto::process::ProcessEvent;
use envd_proto::process::StartResponse;
use envd_proto::process::process_event::data_event::Output as Said;
use envd_proto::process::process_event::{DataEvent, Event};
use prost::Message as _;

use super::envelope::Envelope;
use super::framing::Codec;
use crate::fault::Output;

/// The output in an envelope; `None` when it holds none.
pub(super) fn read(envelope: &Envelope, codec: Codec) -> Option<(Output, Bytes)> {
    if envelope.flag != 0 {
        return None;
    }
    // ConnectResponse has the same shape.
    let message: StartResponse = match codec {
        Codec::Proto => StartResponse::decode(envelope.message.clone()).ok()?,
        Codec::Json => envd_proto::json::decode(&envelope.message).ok()?,
    };
    let Event::Data(data) = message.event?.event? else { return None };
    Some(match data.output? {
        Said::Stdout(bytes) => (Output::Stdout, bytes),
        Said::Stderr(bytes) => (Output::Stderr, bytes),
        Said::Pty(bytes) => (Output::Pty, bytes),
    })
}

/// An envelope with this output.
pub(super) fn write(output: Output, bytes: Bytes, codec: Codec) -> Envelope {
    let said = match output {
        Output::Stdout => Said::Stdout(bytes),
        Output::Stderr => Said::Stderr(bytes),
        Output::Pty => Said::Pty(bytes),
    };
    let event = ProcessEvent { event: Some(Event::Data(DataEvent { output: Some(said) })) };
    let message = StartResponse { event: Some(event) };
    let bytes = match codec {
        Codec::Proto => message.encode_to_vec(),
        Codec::Json => envd_proto::json::encode(&message).unwrap_or_default(),
    };
    Envelope::new(0, bytes)
}
