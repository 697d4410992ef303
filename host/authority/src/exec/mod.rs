//! Which commands may run: argument templates with typed holes. Must not look at the disk or start anything.
//!
//! Order of evaluation, and why:
//!
//! 1. **Size.** A request over the caps is refused before anything is compared.
//! 2. **Rules.** Program and every argument have to equal a rule's, holes filled with values of their types. There is
//!    no prefix, no pattern, no "any further arguments": each of these has let options through that nobody meant.
//! 3. **Approval.** When any rule that fits wants an approval, one is needed, whatever else fits, and only such rules
//!    count from here on.
//! 4. **The least of what fits.** Of several rules the one without network, with the fewest secrets is taken.
//! 5. **Directory.** The one asked for lies in the rule's and in a granted one.
//!
//! What comes out is an [`ExecPermit`]: everything that decides what will happen, with its canonical bytes and their
//! digest. Where an approval is needed it comes sealed.

mod decide;
mod permit;
mod refusal;
mod template;
mod value;
mod warn;

pub use decide::ExecAuthority;
pub use permit::ExecPermit;
pub use refusal::ExecRefusal;
pub(crate) use template::overlap;
pub use template::{ExecTemplate, HoleType, TemplateError, TemplatePart};
pub use warn::exec_warnings;
