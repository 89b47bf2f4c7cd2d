//! What is, shown: HTTPS API, dashboard, live stream, metrics.
