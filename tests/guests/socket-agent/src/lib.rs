//! Imports sockets and name lookup through std. It has to be refused when it is loaded, so none of its acts ever runs:
//! `connect`, `listen`, `send` (with `address`), `lookup` (with `name`).

use kit::{Order, Value, debug, json};
use std::io::Write;
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};

fn act(order: &Order) -> Result<Value, String> {
    let address = order.text("address");
    match order.act() {
        "connect" => {
            let mut stream = debug(TcpStream::connect(address))?;
            debug(stream.write_all(b"escaped"))?;
            Ok(json!("connected"))
        }
        "listen" => Ok(json!(
            debug(debug(TcpListener::bind(address))?.local_addr())?.to_string()
        )),
        "send" => {
            let socket = debug(UdpSocket::bind("0.0.0.0:0"))?;
            Ok(json!(debug(socket.send_to(b"escaped", address))?))
        }
        "lookup" => {
            let found = debug((order.text("name"), 53).to_socket_addrs())?;
            Ok(json!(found.map(|a| a.to_string()).collect::<Vec<_>>()))
        }
        other => Err(format!("there is no act {other:?}")),
    }
}

kit::agent!(
    "socket-agent",
    "package test:guest; world guest { include sandgate:plugin/agent@0.1.0; }",
    [Http],
    act
);
