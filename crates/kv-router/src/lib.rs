//! Request routers: round robin and prefix overlap with load tracking.
