//! The doors, the services, the sockets.
