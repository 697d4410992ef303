//! Which commands may run: argument templates with typed holes. Must not look at the disk or start anything.
