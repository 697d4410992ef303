//! The only way out to the network: one permitted HTTP/1.1 request at a time, checked, pinned and bounded.
//!
//! A request is sent in this order, and stops at the first thing that is wrong:
//!
//! 1. `authority` has parsed the URL once and made an `HttpPermit`; it comes in by value and is used up.
//! 2. The guest's headers are looked through: what only a connection's owner may say is taken away or refused.
//! 3. The name is resolved once; addresses that are not globally reachable are dropped unless the permit says
//!    otherwise, and so are the machine's own and the host's own listeners.
//! 4. The connection goes to a checked address, never to the name. TLS then checks the name.
//! 5. Secrets are put in, last, and only those bound to exactly this origin.
//! 6. The answer streams back under caps of size and time, and with every secret that was ever put in cut out.
//! 7. A redirect begins at 1 again, with a permit of its own, and without credentials when the origin changes.
//!
//! No connection is shared or kept, nothing is decompressed, no proxy is asked, no environment variable is read. This
//! crate must not decide what is allowed, and must not keep a journal.

mod address;
mod body;
mod error;
mod headers;
mod limits;
mod meter;
mod net;
mod redact;
mod redirect;
mod secrets;
mod session;
mod tls;
mod wire;

pub use body::{EgressBody, OutBody};
pub use error::{EgressError, EgressSetupError};
pub use limits::{EgressLimits, EgressTimes};
pub use meter::NetworkMeter;
pub use net::{Connector, NetFuture, Resolver, SystemConnector, SystemResolver};
pub use secrets::{NoSecrets, SecretError, SecretSource};
pub use session::{Egress, EgressConfig, EgressSession, Hop, SessionParts, Trace};
