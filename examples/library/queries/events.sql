-- name: RecordEvents :copyfrom
-- RecordEvents writes down what happened, all of it or nothing, and returns how many events.
INSERT INTO events (id, happened_at, kind, member_id, details)
VALUES (@id, @happened_at, @kind, @member_id, @details);

-- name: ListEventsOfMember :many
-- ListEventsOfMember returns the events of a member within a span of time, the oldest first.
SELECT *
FROM events
WHERE member_id = @member_id::text AND happened_at >= @since AND happened_at < @until
ORDER BY happened_at, id;
