//! `msrprelay._native`: conversion between Python and the engine; no rule of MSRP lives here.
