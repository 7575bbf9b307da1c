-- The first shape of a library. Rows of a clinical or legal kind are append-only and guarded by triggers.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE events (
    seq       INTEGER PRIMARY KEY,
    event_id  TEXT NOT NULL UNIQUE,
    hlc       TEXT NOT NULL,
    device    TEXT NOT NULL,
    person    TEXT NOT NULL,
    study     TEXT NOT NULL,
    kind      TEXT NOT NULL,
    version   INTEGER NOT NULL,
    body      TEXT NOT NULL,
    prev_hash TEXT NOT NULL,
    hash      TEXT NOT NULL
);
CREATE INDEX events_by_study ON events (study, seq);
CREATE INDEX events_by_kind ON events (kind, seq);
CREATE TRIGGER events_keep BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'append-only: events'); END;
CREATE TRIGGER events_stay BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'append-only: events'); END;

CREATE TABLE studies (
    id             INTEGER PRIMARY KEY,
    study_uid      TEXT NOT NULL UNIQUE,
    patient_key    TEXT NOT NULL,
    patient_id     TEXT NOT NULL,
    study_datetime TEXT NOT NULL,
    accession      TEXT NOT NULL,
    modalities     TEXT NOT NULL,
    search_key     TEXT NOT NULL,
    series_count   INTEGER NOT NULL,
    instance_count INTEGER NOT NULL,
    size_bytes     INTEGER NOT NULL,
    reading_state  TEXT NOT NULL,
    reading_person TEXT NOT NULL DEFAULT '',
    imported_at    TEXT NOT NULL,
    body           BLOB NOT NULL
);
CREATE INDEX studies_by_datetime ON studies (study_datetime, study_uid);
CREATE INDEX studies_by_patient ON studies (patient_id);
CREATE INDEX studies_by_state ON studies (reading_state, study_datetime);

CREATE TABLE series (
    id         INTEGER PRIMARY KEY,
    study_id   INTEGER NOT NULL REFERENCES studies (id),
    series_uid TEXT NOT NULL,
    modality   TEXT NOT NULL,
    position   INTEGER NOT NULL,
    body       BLOB NOT NULL,
    UNIQUE (study_id, series_uid)
);

CREATE TABLE instances (
    id          INTEGER PRIMARY KEY,
    sop_uid     TEXT NOT NULL UNIQUE,
    series_id   INTEGER NOT NULL REFERENCES series (id),
    sha256      TEXT NOT NULL,
    size_bytes  INTEGER NOT NULL,
    locator     TEXT NOT NULL
);
CREATE INDEX instances_by_series ON instances (series_id);
CREATE INDEX instances_by_locator ON instances (locator);

CREATE TABLE marks (
    study      TEXT NOT NULL,
    person     TEXT NOT NULL,
    finding_id TEXT NOT NULL,
    position   INTEGER NOT NULL,
    body       BLOB NOT NULL,
    hlc        TEXT NOT NULL,
    PRIMARY KEY (study, person, finding_id)
) WITHOUT ROWID;

CREATE TABLE sealed_results (
    study          TEXT NOT NULL,
    reader         TEXT NOT NULL,
    reader_version TEXT NOT NULL,
    state          TEXT NOT NULL,
    object_name    TEXT NOT NULL,
    problems       TEXT NOT NULL,
    hlc            TEXT NOT NULL,
    PRIMARY KEY (study, reader)
) WITHOUT ROWID;

CREATE TABLE first_opinions (
    study  TEXT NOT NULL,
    person TEXT NOT NULL,
    hlc    TEXT NOT NULL,
    body   BLOB NOT NULL,
    PRIMARY KEY (study, person)
) WITHOUT ROWID;
CREATE TRIGGER opinions_keep BEFORE UPDATE ON first_opinions BEGIN SELECT RAISE(ABORT, 'append-only: first_opinions'); END;
CREATE TRIGGER opinions_stay BEFORE DELETE ON first_opinions BEGIN SELECT RAISE(ABORT, 'append-only: first_opinions'); END;

CREATE TABLE reveals (
    study   TEXT NOT NULL,
    person  TEXT NOT NULL,
    hlc     TEXT NOT NULL,
    readers TEXT NOT NULL,
    PRIMARY KEY (study, person)
) WITHOUT ROWID;
CREATE TRIGGER reveals_stay BEFORE DELETE ON reveals BEGIN SELECT RAISE(ABORT, 'append-only: reveals'); END;

CREATE TABLE verdicts (
    seq        INTEGER PRIMARY KEY,
    verdict_id TEXT NOT NULL UNIQUE,
    study      TEXT NOT NULL,
    finding_id TEXT NOT NULL,
    supersedes TEXT NOT NULL,
    hlc        TEXT NOT NULL,
    body       BLOB NOT NULL
);
CREATE INDEX verdicts_by_study ON verdicts (study, seq);
CREATE TRIGGER verdicts_keep BEFORE UPDATE ON verdicts BEGIN SELECT RAISE(ABORT, 'append-only: verdicts'); END;
CREATE TRIGGER verdicts_stay BEFORE DELETE ON verdicts BEGIN SELECT RAISE(ABORT, 'append-only: verdicts'); END;

CREATE TABLE report_drafts (
    study  TEXT PRIMARY KEY,
    person TEXT NOT NULL,
    hlc    TEXT NOT NULL,
    body   BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE signed_reports (
    report_id   TEXT PRIMARY KEY,
    study       TEXT NOT NULL,
    version     INTEGER NOT NULL,
    replaces    TEXT NOT NULL,
    person      TEXT NOT NULL,
    signed_at   TEXT NOT NULL,
    hlc         TEXT NOT NULL,
    manifest    BLOB NOT NULL,
    signature   BLOB NOT NULL,
    certificate_sha256 TEXT NOT NULL,
    details     TEXT NOT NULL,
    body        BLOB NOT NULL,
    UNIQUE (study, version)
);
CREATE TRIGGER reports_keep BEFORE UPDATE ON signed_reports BEGIN SELECT RAISE(ABORT, 'append-only: signed_reports'); END;
CREATE TRIGGER reports_stay BEFORE DELETE ON signed_reports BEGIN SELECT RAISE(ABORT, 'append-only: signed_reports'); END;

CREATE TABLE stored_objects (
    sop_uid     TEXT PRIMARY KEY,
    report_id   TEXT NOT NULL,
    study       TEXT NOT NULL,
    position    INTEGER NOT NULL,
    object_name TEXT NOT NULL,
    body        BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX stored_objects_by_report ON stored_objects (report_id, position);
CREATE INDEX stored_objects_by_name ON stored_objects (object_name);
CREATE INDEX stored_objects_by_study ON stored_objects (study);
CREATE TRIGGER stored_objects_keep BEFORE UPDATE ON stored_objects BEGIN SELECT RAISE(ABORT, 'append-only: stored_objects'); END;
CREATE TRIGGER stored_objects_stay BEFORE DELETE ON stored_objects BEGIN SELECT RAISE(ABORT, 'append-only: stored_objects'); END;

CREATE TABLE outbox (
    seq             INTEGER PRIMARY KEY,
    item_id         TEXT NOT NULL UNIQUE,
    dedup_key       TEXT NOT NULL UNIQUE,
    target          TEXT NOT NULL,
    study           TEXT NOT NULL,
    report_id       TEXT NOT NULL,
    sop_uid         TEXT NOT NULL,
    sop_class_uid   TEXT NOT NULL,
    object_name     TEXT NOT NULL,
    sha256          TEXT NOT NULL,
    size_bytes      INTEGER NOT NULL,
    kind            TEXT NOT NULL,
    priority        INTEGER NOT NULL,
    state           TEXT NOT NULL,
    attempts        INTEGER NOT NULL,
    next_at         REAL NOT NULL,
    last_problem    TEXT NOT NULL,
    last_params     TEXT NOT NULL,
    created_hlc     TEXT NOT NULL,
    updated_hlc     TEXT NOT NULL,
    lease_owner     TEXT NOT NULL,
    lease_until     REAL NOT NULL
);
CREATE INDEX outbox_by_state ON outbox (state, target, priority, seq);
CREATE INDEX outbox_by_study ON outbox (study, target);
CREATE TRIGGER outbox_stay BEFORE DELETE ON outbox BEGIN SELECT RAISE(ABORT, 'append-only: outbox'); END;

CREATE TABLE receipts (
    seq     INTEGER PRIMARY KEY,
    item_id TEXT NOT NULL,
    sop_uid TEXT NOT NULL,
    level   TEXT NOT NULL,
    hlc     TEXT NOT NULL,
    body    BLOB NOT NULL
);
CREATE INDEX receipts_by_item ON receipts (item_id, seq);
CREATE TRIGGER receipts_keep BEFORE UPDATE ON receipts BEGIN SELECT RAISE(ABORT, 'append-only: receipts'); END;
CREATE TRIGGER receipts_stay BEFORE DELETE ON receipts BEGIN SELECT RAISE(ABORT, 'append-only: receipts'); END;

CREATE TABLE settings (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    hlc   TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE recovery (
    person TEXT PRIMARY KEY,
    hlc    TEXT NOT NULL,
    body   TEXT NOT NULL
) WITHOUT ROWID;
