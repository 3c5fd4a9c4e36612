-- name: EnqueueJob :one
-- EnqueueJob adds a job.
-- +keyed
INSERT INTO jobs (id, kind, payload, run_at, attempts, created_at)
VALUES (@id, @kind, @payload, @run_at, 0, @created_at)
ON CONFLICT (id) DO UPDATE
SET id = EXCLUDED.id
WHERE (jobs.kind, jobs.created_at) = (EXCLUDED.kind, EXCLUDED.created_at)
RETURNING *;

-- name: TakeJob :one
-- TakeJob takes the job that is due longest.
UPDATE jobs
SET attempts = attempts + 1, locked_until = @locked_until
WHERE id = (
    SELECT j.id FROM jobs AS j
    WHERE j.done_at IS NULL AND j.run_at <= @now AND (j.locked_until IS NULL OR j.locked_until < @now)
    ORDER BY j.run_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING *;

-- name: FinishJob :execrows
-- FinishJob notes that a job is done.
UPDATE jobs SET done_at = @done_at WHERE id = @id AND done_at IS NULL;
