"""The steps from each `user_version` of the ledger to the next: the first makes its tables."""

from __future__ import annotations

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE jobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        source BLOB NOT NULL,          -- bytes of the path, relative to the inbox
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        state TEXT NOT NULL,
        created_at REAL NOT NULL,      -- times: UTC seconds since the epoch
        queued_at REAL NOT NULL,
        not_before REAL NOT NULL,
        started_at REAL,
        finished_at REAL,
        location BLOB,
        attempts INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        resumes INTEGER NOT NULL,
        service REAL NOT NULL,
        batch_size INTEGER,
        device TEXT,
        chunks INTEGER NOT NULL,
        progress REAL NOT NULL,
        audio_seconds REAL,
        language TEXT,
        language_probability REAL,
        model TEXT,
        requested_model TEXT,
        fallback_reason TEXT,
        error TEXT,
        cause TEXT,
        sha256 TEXT,
        options_key TEXT,
        overrides TEXT NOT NULL,       -- JSON
        redo_of INTEGER,
        copy_of INTEGER,
        outputs TEXT NOT NULL,         -- JSON
        plan TEXT                      -- JSON
    );
    CREATE INDEX jobs_by_source ON jobs (source, id);
    CREATE INDEX jobs_by_size ON jobs (size);
    CREATE INDEX jobs_fresh ON jobs (queued_at, id) WHERE state = 'queued' AND service = 0 AND copy_of IS NULL;
    CREATE INDEX jobs_served ON jobs (service, id) WHERE state = 'queued' AND service > 0 AND copy_of IS NULL;
    CREATE INDEX jobs_by_state ON jobs (state, id);
    CREATE INDEX jobs_copies ON jobs (copy_of) WHERE copy_of IS NOT NULL;
    CREATE INDEX jobs_planned ON jobs (id) WHERE plan IS NOT NULL;
    -- `status` counts a million jobs in no time
    CREATE TABLE counts (state TEXT PRIMARY KEY, jobs INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TRIGGER count_insert AFTER INSERT ON jobs BEGIN
        INSERT INTO counts VALUES (new.state, 1) ON CONFLICT (state) DO UPDATE SET jobs = jobs + 1;
    END;
    CREATE TRIGGER count_delete AFTER DELETE ON jobs BEGIN
        UPDATE counts SET jobs = jobs - 1 WHERE state = old.state;
    END;
    CREATE TRIGGER count_update AFTER UPDATE OF state ON jobs WHEN old.state <> new.state BEGIN
        UPDATE counts SET jobs = jobs - 1 WHERE state = old.state;
        INSERT INTO counts VALUES (new.state, 1) ON CONFLICT (state) DO UPDATE SET jobs = jobs + 1;
    END;
    CREATE TABLE attempts (            -- how each attempt at a job went
        job INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        started_at REAL NOT NULL,
        ended_at REAL,
        pid INTEGER,
        model TEXT,
        cause TEXT,                    -- NULL: it ended with a transcript
        error TEXT,
        PRIMARY KEY (job, attempt)
    ) WITHOUT ROWID;
    CREATE TABLE requests (            -- what commands ask the daemon for
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        job INTEGER,
        arguments TEXT NOT NULL,       -- JSON
        created_at REAL NOT NULL
    );
    CREATE TABLE facts (               -- single values: paused, the daemon's life signs, the inbox's mark
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL            -- JSON
    ) WITHOUT ROWID;
    """,
    """
    -- jobs that are to be in the manifest and may not be yet: written in the transaction that changes them
    CREATE TABLE unrecorded (job INTEGER PRIMARY KEY);
    INSERT INTO unrecorded SELECT id FROM jobs WHERE state IN ('committing', 'done', 'failed', 'cancelled')
        OR (state IN ('queued', 'running') AND location IS NOT NULL);
    -- whose turn it is, and who may be a twin, are read from the indexes alone
    DROP INDEX jobs_fresh;
    DROP INDEX jobs_served;
    DROP INDEX jobs_by_size;
    CREATE INDEX jobs_fresh ON jobs (queued_at, id, not_before)
        WHERE state = 'queued' AND service = 0 AND copy_of IS NULL;
    CREATE INDEX jobs_served ON jobs (service, id, not_before)
        WHERE state = 'queued' AND service > 0 AND copy_of IS NULL;
    CREATE INDEX jobs_by_size ON jobs (size, state, id);
    PRAGMA application_id = 1937011812;
    """,
    """
    -- the user number of the source's owner; -1: not known
    ALTER TABLE jobs ADD COLUMN owner INTEGER NOT NULL DEFAULT -1;
    -- whose turn it is: the oldest of each owner, for those that no worker had yet and for the others
    DROP INDEX jobs_fresh;
    DROP INDEX jobs_served;
    CREATE INDEX jobs_fresh ON jobs (owner, queued_at, id, not_before)
        WHERE state = 'queued' AND service = 0 AND copy_of IS NULL;
    CREATE INDEX jobs_served ON jobs (owner, queued_at, id, not_before)
        WHERE state = 'queued' AND service > 0 AND copy_of IS NULL;
    -- retention: the jobs that it may forget, and who needs a file
    CREATE INDEX jobs_ended ON jobs (finished_at, id)
        WHERE finished_at IS NOT NULL AND (location IS NOT NULL OR state IN ('failed', 'vanished'));
    -- what a clock that is set back makes wait for too long
    CREATE INDEX jobs_by_wait ON jobs (not_before) WHERE state = 'queued' AND not_before > 0;
    CREATE INDEX jobs_by_age ON jobs (queued_at) WHERE state = 'queued';
    CREATE INDEX jobs_by_location ON jobs (location) WHERE location IS NOT NULL;
    CREATE INDEX jobs_redos ON jobs (redo_of) WHERE redo_of IS NOT NULL;
    -- jobs that were forgotten so far may still be in the manifest: it is to say that they are gone
    INSERT OR IGNORE INTO unrecorded
        WITH RECURSIVE numbers (id) AS (
            SELECT 1 UNION ALL SELECT id + 1 FROM numbers WHERE id < (SELECT max(seq) FROM sqlite_sequence)
        )
        SELECT id FROM numbers WHERE id <= (SELECT max(seq) FROM sqlite_sequence)
        AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = numbers.id);
    INSERT OR IGNORE INTO facts
        SELECT 'forgotten since', '0.0' FROM unrecorded
        WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = unrecorded.job) LIMIT 1;
    """,
    """
    ALTER TABLE jobs ADD COLUMN no_copy INTEGER NOT NULL DEFAULT 0;
    -- who has the same content, by size and hash over all jobs of that size
    DROP INDEX jobs_by_size;
    CREATE INDEX jobs_by_content ON jobs (size, options_key, state, sha256);
    -- twins that wait, apart from the many that have their copy
    CREATE INDEX jobs_twins ON jobs (copy_of, id) WHERE copy_of IS NOT NULL AND state = 'queued';
    -- sources that a worker did not find
    CREATE INDEX jobs_looked_for ON jobs (id) WHERE state = 'queued' AND cause = 'gone';
    """,
    """
    -- requests are files now (see spool); those that waited in the table were moved there before this step
    DROP TABLE requests;
    CREATE TABLE answers (             -- what came of requests, for the commands that wait to know
        id INTEGER PRIMARY KEY,
        request TEXT NOT NULL UNIQUE,  -- the name of its file
        at REAL NOT NULL,
        ok INTEGER,                    -- NULL: it is being carried out
        text TEXT NOT NULL,
        jobs INTEGER NOT NULL,         -- how many it was carried out for
        last INTEGER NOT NULL          -- the number of the last job that was looked at
    );
    """,
    """
    -- whose turn it is, among those whose wait is over: their `not_before` is set to 0 then (see waits)
    DROP INDEX jobs_fresh;
    DROP INDEX jobs_served;
    CREATE INDEX jobs_fresh ON jobs (owner, queued_at, id)
        WHERE state = 'queued' AND service <= 0 AND copy_of IS NULL AND not_before <= 0;
    CREATE INDEX jobs_served ON jobs (owner, queued_at, id)
        WHERE state = 'queued' AND service > 0 AND copy_of IS NULL AND not_before <= 0;
    """,
    """
    -- what a person should know of a result; JSON. Plans that wait to be staged had it before
    ALTER TABLE jobs ADD COLUMN warnings TEXT NOT NULL DEFAULT '[]';
    UPDATE jobs SET warnings = json_extract(plan, '$.warnings')
        WHERE plan IS NOT NULL AND CASE WHEN json_valid(plan) THEN json_type(plan, '$.warnings') END = 'array';
    """,
    """
    -- why queued jobs wait: whether all of them wait for the machine is seen without a look at each
    CREATE INDEX jobs_by_cause ON jobs (cause) WHERE state = 'queued';
    """,
    """
    -- SHA-256 of each of `outputs` as it was written; JSON
    ALTER TABLE jobs ADD COLUMN hashes TEXT NOT NULL DEFAULT '[]';
    -- recordings that were done and left in the inbox, to know them under another name
    CREATE INDEX jobs_kept ON jobs (size, mtime_ns) WHERE state = 'done' AND coalesce(location, x'') = x'';
    """,
    """
    -- what the folders above a recording set for it; JSON, NULL: nothing
    ALTER TABLE jobs ADD COLUMN folder_options TEXT;
    -- what waits in one folder
    CREATE INDEX jobs_by_folder ON jobs (source) WHERE state = 'queued';
    """,
    """
    -- and of that, what may start and has not begun
    CREATE INDEX jobs_fresh_by_folder ON jobs (source) WHERE state = 'queued' AND not_before <= 0 AND options_key IS NULL;
    """,
    """
    -- the job about the version of the recording that lay at the same path in the inbox until this one took its place
    ALTER TABLE jobs ADD COLUMN successor_of INTEGER;
    """,
    """
    -- what is held for the bad options of its folder, without what waits there for other reasons
    CREATE INDEX jobs_held_by_folder ON jobs (source)
        WHERE state = 'queued' AND cause = 'configuration' AND options_key IS NULL;
    DROP INDEX jobs_by_folder;
    """,
    """
    -- how a long recording is shared out; JSON, NULL: it is one part, and its row here says all of it
    ALTER TABLE jobs ADD COLUMN shared TEXT;
    CREATE TABLE parts (               -- of jobs whose recordings are shared out
        job INTEGER NOT NULL,
        number INTEGER NOT NULL,       -- from 0
        state TEXT NOT NULL,           -- queued, running, done or failed
        attempt INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        resumes INTEGER NOT NULL,
        service REAL NOT NULL,
        batch_size INTEGER,
        device TEXT,
        chunks INTEGER NOT NULL,
        begins REAL,                   -- seconds of the recording
        ends REAL,
        progress REAL NOT NULL,
        not_before REAL NOT NULL,
        cause TEXT,
        error TEXT,
        PRIMARY KEY (job, number)
    ) WITHOUT ROWID;
    ALTER TABLE attempts ADD COLUMN part INTEGER NOT NULL DEFAULT 0;
    """,
    """
    -- for reports: the daemon in spans of time, a minute each, longer ones when they are old (see past)
    CREATE TABLE samples (
        start INTEGER PRIMARY KEY,     -- UTC seconds
        seconds INTEGER NOT NULL,
        memory_low REAL,               -- percent of what the daemon may use
        memory_high REAL,
        level INTEGER NOT NULL,        -- of the memory, the highest
        queued INTEGER NOT NULL,       -- jobs, at most
        load_timeouts INTEGER NOT NULL,
        resumes INTEGER NOT NULL
    );
    -- and what became of jobs that were forgotten since, by the hour of their end
    CREATE TABLE sums (
        start INTEGER PRIMARY KEY,     -- UTC seconds
        seconds INTEGER NOT NULL,
        ended TEXT NOT NULL,           -- JSON: jobs by state
        audio REAL NOT NULL,           -- seconds
        service REAL NOT NULL,         -- seconds
        fallbacks INTEGER NOT NULL,
        job_timeouts INTEGER NOT NULL,
        waits TEXT NOT NULL            -- JSON: jobs by the bucket of the time from their arrival to their transcript
    );
    CREATE INDEX samples_by_length ON samples (seconds, start);
    CREATE INDEX sums_by_length ON sums (seconds, start);
    -- jobs by when they ended, with all that is summed up of them
    CREATE INDEX jobs_finished ON jobs (state, finished_at, created_at, audio_seconds, service)
        WHERE finished_at IS NOT NULL;
    CREATE INDEX jobs_fell_back ON jobs (finished_at, state) WHERE fallback_reason IS NOT NULL;
    CREATE INDEX attempts_timed_out ON attempts (ended_at) WHERE cause = 'timeout';
    """,
    """
    -- the worker of another machine that had the attempt, by its name (gpu1/2); NULL: one of this machine, which `pid` names
    ALTER TABLE attempts ADD COLUMN worker TEXT;
    """,
)
