//! A notebook for any host of WebAssembly components: search, read and write plain-text files, tell the time anywhere.
//!
//! This file only joins the functions to the world of `wit/world.wit`. They are ordinary Rust over `std::fs` and
//! `std::time`; what files and which clock they get is up to the host that runs the component.

mod calendar;
mod clock;
mod note;
mod problem;
mod rule;
mod search;
mod zone;

/// Types and traits of `wit/world.wit`.
mod bindings {
    wit_bindgen::generate!({ world: "notes", path: "wit" });
    export!(Notebook with_types_in self);
    use super::Notebook;
}

use bindings::exports::casemate_examples::notes::{files, time};

struct Notebook;

impl files::Guest for Notebook {
    fn search_text(
        folder: String,
        pattern: String,
        options: Option<files::SearchOptions>,
    ) -> Result<files::SearchReport, files::FileError> {
        search::search_text(&folder, &pattern, options)
    }

    fn read_lines(
        path: String,
        first: u32,
        last: Option<u32>,
    ) -> Result<files::Excerpt, files::FileError> {
        note::read_lines(&path, first, last)
    }

    fn save_note(
        path: String,
        text: String,
        replace: Option<bool>,
    ) -> Result<files::Written, files::FileError> {
        note::save_note(path, &text, replace.unwrap_or(false))
    }

    fn append_line(path: String, line: String) -> Result<files::Written, files::FileError> {
        note::append_line(path, &line)
    }
}

impl time::Guest for Notebook {
    fn current_time(zone: String) -> Result<time::ZonedTime, time::TimeError> {
        clock::current_time(&zone)
    }

    fn convert_time(
        local: String,
        from_zone: String,
        to_zone: String,
    ) -> Result<time::Conversion, time::TimeError> {
        clock::convert_time(&local, &from_zone, &to_zone)
    }

    fn list_zones(filter: String) -> Result<Vec<time::Zone>, time::TimeError> {
        clock::list_zones(&filter)
    }
}
