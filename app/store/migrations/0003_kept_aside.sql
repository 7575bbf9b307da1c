-- Objects under the number of another one with other bytes: nothing is lost, a person compares the two.

CREATE TABLE kept_aside (
    sop_uid     TEXT NOT NULL,
    sha256      TEXT NOT NULL,
    study_uid   TEXT NOT NULL,
    object_name TEXT NOT NULL,
    size_bytes  INTEGER NOT NULL,
    source      TEXT NOT NULL,
    decided     INTEGER NOT NULL,
    person      TEXT NOT NULL,
    hlc         TEXT NOT NULL,
    PRIMARY KEY (sop_uid, sha256)
) WITHOUT ROWID;
CREATE INDEX kept_aside_by_object ON kept_aside (object_name);
