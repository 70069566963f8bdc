//! Signatures on /files (contract 2).

use super::edit::{answer, request, target};
use super::uploads::without;
use crate::mutant::Mutant;

pub(crate) const MUTANTS: &[Mutant] = &[
    request("signature/unchecked", "nobody checks signatures", "/", |call, r| {
        if call.target == "/init" {
            r.body("\"access_token\"", "\"access_tokex\"");
        }
    }),
    request("signature/without-token", "a signature is refused where no token is set", "/", |call, r| {
        if call.target == "/init" && r.says("\"access_token\"") {
            call.kept().insert("token".to_owned(), Vec::new());
        }
        if call.target.starts_with("/files") && r.heads("signature=") && !call.kept().contains_key("token") {
            target(r, |t| t.replace("username=root", "username=nobody-here"));
        }
    }),
    request("signature/head-unsigned", "HEAD does not take a signature", "HEAD /files", |_, r| {
        target(r, |t| without(t, "signature"));
    }),
    request("signature/expiration-unsigned", "the expiration is not looked at", "/files", |_, r| {
        target(r, |t| without(t, "signature_expiration"));
    }),
    request("signature/missing-user", "a signature is looked at without its username", "/files", |_, r| {
        if r.heads("signature=") {
            target(r, |t| without(t, "username"));
        }
    }),
    request("signature/padding-cut", "padding of a signature is passed over", "/files", |_, r| {
        target(r, |t| t.replace("%3D", "").replace("%3d", ""));
    }),
    request("signature/case", "v1_ may be in capitals", "/files", |_, r| {
        target(r, |t| t.replace("=V1_", "=v1_"));
    }),
    request("signature/header-last", "a signature wins over the header", "/files", |_, r| {
        if r.heads("signature=") {
            r.head("x-access-token:", "x-other:");
        }
    }),
    answer("signature/403", "a bad signature is 403", "/files", |_, a| {
        if a.says("signature") {
            a.head("401 Unauthorized", "403 Forbidden");
        }
    }),
    answer("signature/invalid-text", "a wrong signature is told as missing", "/files", |_, a| {
        a.body("invalid signature", "missing signature query parameter");
    }),
    answer("signature/expired-text", "an expired signature is told as invalid", "/files", |_, a| {
        a.body("signature is already expired", "invalid signature");
    }),
    answer("signature/token-text", "a wrong token is told as a missing signature", "/files", |_, a| {
        a.body("access token present in header but does not match", "missing signature query parameter");
    }),
];
