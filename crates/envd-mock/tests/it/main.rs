//! The mock from outside: over bare sockets, by its library and by its command.

mod bare;
mod command;
mod connections;
mod control;
mod guard;
mod init;
mod limits;
mod rest;
mod rpc;
