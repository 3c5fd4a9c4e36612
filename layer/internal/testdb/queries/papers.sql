-- name: CreatePaper :one
-- CreatePaper inserts a paper and returns it.
INSERT INTO papers (name, url, year, price_cents, image_url, has_preview, is_published)
VALUES (@name, @url, @year, @price_cents, @image_url, @has_preview, @is_published)
RETURNING *;

-- name: AddPaper :exec
-- AddPaper inserts a paper and returns nothing.
INSERT INTO papers (name, url, year, price_cents, image_url, has_preview, is_published)
VALUES (@name, @url, @year, @price_cents, @image_url, @has_preview, @is_published);

-- name: GetPaper :one
-- GetPaper returns the paper with this id; no row when there is none.
SELECT *
FROM papers
WHERE id = @id;

-- name: GetPaperByURL :one
-- GetPaperByURL returns the paper at this URL; no row when there is none.
SELECT *
FROM papers
WHERE url = @url;

-- name: ListPapers :many
-- ListPapers returns the first page_size papers, in the order of their ids.
SELECT *
FROM papers
ORDER BY id
LIMIT @page_size;

-- name: UpdatePaper :one
-- UpdatePaper replaces all columns of the paper except its id, and returns it; no row when there is none.
UPDATE papers
SET
    name = @name,
    url = @url,
    year = @year,
    price_cents = @price_cents,
    image_url = @image_url,
    has_preview = @has_preview,
    is_published = @is_published
WHERE id = @id
RETURNING *;

-- name: PublishPaper :one
-- PublishPaper puts the paper on sale, and returns it; no row when there is none.
UPDATE papers
SET is_published = true
WHERE id = @id
RETURNING *;

-- name: UnpublishPaper :one
-- UnpublishPaper takes the paper off sale, and returns it; no row when there is none.
UPDATE papers
SET is_published = false
WHERE id = @id
RETURNING *;

-- name: DeletePaper :one
-- DeletePaper deletes the paper and its articles, and returns it; no row when there is none. A paper with sales cannot be
-- deleted.
DELETE FROM papers
WHERE id = @id
RETURNING *;

-- name: LockPaper :one
-- LockPaper locks the paper until the transaction ends; no row when there is none.
SELECT id
FROM papers
WHERE id = @id
FOR NO KEY UPDATE;
