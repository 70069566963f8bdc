//! The integration tests of `envd-proto`: its messages against bytes that it did not make.

#[cfg(test)]
mod recording;
#[cfg(test)]
mod wire;
