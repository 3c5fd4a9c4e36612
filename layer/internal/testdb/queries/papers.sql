-- name: CreatePaper :one
-- CreatePaper inserts a paper with its articles, in the order given. It returns the paper as stored, and the ids of its articles.
-- A column of the articles is NULL in the result when it was stored as given. It is returned when a trigger changed it. An empty
-- URL of an article means that it has none.
--
-- No row when a trigger drops the paper. If a trigger drops an article, the statement fails and nothing is kept (see
-- SetPasswordHash).
WITH paper AS (
    INSERT INTO papers (name, url, year, price_cents, image_url, has_preview, is_published)
    VALUES (@name, @url, @year, @price_cents, @image_url, @has_preview, @is_published)
    RETURNING *
), listed AS (
    SELECT
        t.display_order::integer AS display_order,
        t.name,
        (@article_lengths::integer[])[t.display_order] AS length_seconds,
        nullif((@article_audio_urls::text[])[t.display_order], '') AS audio_url,
        nullif((@article_video_urls::text[])[t.display_order], '') AS video_url
    FROM unnest(@article_names::text[]) WITH ORDINALITY AS t (name, display_order) /* generate_series would be planned at each call */
), inserted AS (
    INSERT INTO articles (paper_id, name, length_seconds, audio_url, video_url, display_order)
    SELECT paper.id, listed.name, listed.length_seconds, listed.audio_url, listed.video_url, listed.display_order
    FROM paper
    CROSS JOIN listed
    ORDER BY listed.display_order
    RETURNING *
), stored AS (
    SELECT
        coalesce(array_agg(t.id), '{}') AS ids,
        array_agg(t.name) AS names,
        array_agg(t.length_seconds) AS lengths,
        array_agg(coalesce(t.audio_url, '')) AS audio_urls,
        array_agg(coalesce(t.video_url, '')) AS video_urls,
        array_agg(t.display_order) AS display_orders
    FROM (
        SELECT inserted.*
        FROM inserted
        WHERE inserted.paper_id = (SELECT paper.id FROM paper)
        ORDER BY inserted.display_order
    ) AS t
)
SELECT
    CASE
        WHEN cardinality(stored.ids) = coalesce(cardinality(@article_names::text[]), 0) THEN paper.id
        ELSE current_setting('dbtx.rows_not_kept')::bigint
    END::bigint AS id,
    paper.name, paper.url, paper.year, paper.price_cents, paper.image_url, paper.has_preview, paper.is_published,
    stored.ids::bigint[] AS article_ids,
    nullif(stored.names::text[], @article_names::text[])::text[] AS article_names, /* cast, because a column may have a wider type */
    nullif(stored.lengths::integer[], @article_lengths::integer[])::integer[] AS article_lengths,
    nullif(stored.audio_urls::text[], @article_audio_urls::text[])::text[] AS article_audio_urls,
    nullif(stored.video_urls::text[], @article_video_urls::text[])::text[] AS article_video_urls,
    nullif(stored.display_orders::integer[], (SELECT array_agg(listed.display_order) FROM listed))::integer[] AS display_orders
FROM paper
CROSS JOIN stored;

-- name: CreatePapers :exec
-- CreatePapers inserts papers with their articles, all in the order given. article_papers has the number of each article's paper; the
-- first paper is 1. article_orders has each article's position in its paper. An empty image URL or article URL means that there is none.
--
-- If a trigger drops a row, the statement fails and nothing is kept (see SetPasswordHash). The same happens if a trigger changes
-- the URL of a paper, because the statement finds the paper of an article by that URL.
-- +default url: CreatePapers of the store fills the missing ones in, because they are elements of an array.
WITH listed AS (
    SELECT
        generate_series(1, cardinality(@names::text[])) AS number,
        unnest(@names::text[]) AS name,
        unnest(@urls::text[]) AS url,
        unnest(@years::integer[]) AS year,
        unnest(@prices_cents::bigint[]) AS price_cents,
        nullif(unnest(@image_urls::text[]), '') AS image_url,
        unnest(@have_preview::boolean[]) AS has_preview,
        unnest(@are_published::boolean[]) AS is_published
), inserted AS (
    INSERT INTO papers (name, url, year, price_cents, image_url, has_preview, is_published)
    SELECT
        listed.name, listed.url, listed.year, listed.price_cents, listed.image_url, listed.has_preview,
        listed.is_published
    FROM listed
    ORDER BY listed.number
    RETURNING id, url
), listed_articles AS (
    SELECT
        unnest(@article_papers::integer[]) AS number,
        unnest(@article_orders::integer[]) AS display_order,
        unnest(@article_names::text[]) AS name,
        unnest(@article_lengths::integer[]) AS length_seconds,
        nullif(unnest(@article_audio_urls::text[]), '') AS audio_url,
        nullif(unnest(@article_video_urls::text[]), '') AS video_url
), inserted_articles AS (
    INSERT INTO articles (paper_id, name, length_seconds, audio_url, video_url, display_order)
    SELECT
        inserted.id, listed_articles.name, listed_articles.length_seconds, listed_articles.audio_url, listed_articles.video_url,
        listed_articles.display_order
    FROM listed_articles
    JOIN listed ON listed.number = listed_articles.number
    JOIN inserted ON inserted.url = listed.url
    ORDER BY listed_articles.number, listed_articles.display_order
    RETURNING id
)
SELECT
    CASE
        WHEN (SELECT count(*) FROM inserted) = cardinality(@names::text[])
            AND (SELECT count(*) FROM inserted_articles) = coalesce(cardinality(@article_names::text[]), 0)
            THEN true
        ELSE current_setting('dbtx.rows_not_kept')::boolean
    END::boolean;

-- name: GetPaper :one
-- GetPaper returns the paper with this id, without its articles; no row when there is none.
SELECT *
FROM papers
WHERE id = @id;

-- name: GetPaperByURL :one
-- GetPaperByURL returns the paper at this URL, without its articles; no row when there is none.
SELECT *
FROM papers
WHERE url = @url;

-- name: ListPublishedPapers :many
-- ListPublishedPapers returns up to page_size published papers without their articles, the newest year and the highest id first. It
-- begins after the paper with the given year and id.
SELECT *
FROM papers
WHERE is_published AND (year, id) < (@before_year::integer, @before_id::bigint)
ORDER BY year DESC, id DESC
LIMIT @page_size;

-- name: ListPapers :many
-- ListPapers returns up to page_size papers in the order of their ids, published or not, without their articles. It begins after
-- the given id.
SELECT *
FROM papers
WHERE id > @after_id
ORDER BY id
LIMIT @page_size;

-- name: UpdatePaper :one
-- UpdatePaper replaces all columns of the paper except its id, and returns it; no row when there is none. It leaves the articles.
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
-- DeletePaper deletes the paper and its articles, and returns it; no row when there is none. A paper that somebody
-- bought cannot be deleted.
DELETE FROM papers
WHERE id = @id
RETURNING *;

-- name: LockPaper :one
-- LockPaper locks the paper until the transaction ends, so that only one caller at a time renumbers its articles; no row when there
-- is none.
SELECT id
FROM papers
WHERE id = @id
FOR NO KEY UPDATE;
