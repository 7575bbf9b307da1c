-- Imports that have begun, what each has copied so far, and the source bytes of pictures that were no DICOM.

CREATE TABLE import_jobs (
    job_id TEXT PRIMARY KEY,
    person TEXT NOT NULL,
    hlc    TEXT NOT NULL,
    owner  TEXT NOT NULL,
    body   TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE import_copies (
    job_id      TEXT NOT NULL REFERENCES import_jobs (job_id) ON DELETE CASCADE,
    locator     TEXT NOT NULL,
    size_bytes  INTEGER NOT NULL,
    changed_ns  INTEGER NOT NULL,
    sha256      TEXT NOT NULL,
    object_name TEXT NOT NULL,
    PRIMARY KEY (job_id, locator)
) WITHOUT ROWID;
CREATE INDEX import_copies_by_object ON import_copies (object_name);

CREATE TABLE source_files (
    sop_uid     TEXT PRIMARY KEY,
    object_name TEXT NOT NULL,
    sha256      TEXT NOT NULL,
    size_bytes  INTEGER NOT NULL,
    media_type  TEXT NOT NULL,
    hlc         TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX source_files_by_object ON source_files (object_name);
