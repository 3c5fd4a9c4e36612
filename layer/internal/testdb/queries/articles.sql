-- name: GetArticle :one
-- GetArticle returns the article with this id; no row when there is none.
SELECT *
FROM articles
WHERE id = @id;

-- name: ListArticlesOfPaper :many
-- ListArticlesOfPaper returns the articles of this paper, in display order.
SELECT *
FROM articles
WHERE paper_id = @paper_id
ORDER BY display_order;

-- name: ListArticlesOfPapers :many
-- ListArticlesOfPapers returns the articles of all these papers, paper by paper, in display order.
SELECT *
FROM articles
WHERE paper_id = ANY(@paper_ids::bigint[])
ORDER BY paper_id, display_order;

-- name: ListFirstArticlesOfPapers :many
-- ListFirstArticlesOfPapers returns up to page_size articles of these papers, paper by paper, in display order.
SELECT *
FROM articles
WHERE paper_id = ANY(@paper_ids::bigint[])
ORDER BY paper_id, display_order
LIMIT @page_size;

-- name: LoadArticles :copyfrom
-- LoadArticles adds any number of articles to existing papers by COPY, all of them or none, and returns how many. The caller numbers
-- the articles of each paper, from 1 and without gaps.
INSERT INTO articles (paper_id, name, length_seconds, audio_url, video_url, display_order)
VALUES (@paper_id, @name, @length_seconds, @audio_url, @video_url, @display_order);

-- name: AddArticle :one
-- AddArticle makes room at a position of a locked paper, puts an article there, and returns it. Position 0 is the end.
-- No row when the position is beyond the end.
WITH place AS (
    SELECT
        coalesce(nullif(@position::integer, 0), count(*) + 1)::integer AS display_order,
        count(*) AS articles
    FROM articles
    WHERE paper_id = @paper_id
), shifted AS (
    UPDATE articles
    SET display_order = articles.display_order + 1
    FROM place
    WHERE articles.paper_id = @paper_id AND articles.display_order >= place.display_order
)
INSERT INTO articles (paper_id, name, length_seconds, audio_url, video_url, display_order)
SELECT @paper_id, @name, @length_seconds, @audio_url, @video_url, place.display_order
FROM place
WHERE place.display_order BETWEEN 1 AND place.articles + 1
RETURNING *;

-- name: MoveArticle :one
-- MoveArticle gives an article of a locked paper another position, shifts the articles in between, and returns the article. No row when
-- the position is beyond the end.
WITH moved AS (
    SELECT articles.id, articles.paper_id, articles.display_order
    FROM articles
    WHERE articles.id = @id
), changed AS (
    UPDATE articles
    SET display_order = CASE
        WHEN articles.id = moved.id THEN @position::integer
        WHEN moved.display_order < @position::integer THEN articles.display_order - 1
        ELSE articles.display_order + 1
    END
    FROM moved
    WHERE articles.paper_id = moved.paper_id
        AND articles.display_order BETWEEN
            least(moved.display_order, @position::integer) AND greatest(moved.display_order, @position::integer)
        AND @position::integer <= (SELECT count(*) FROM articles AS t WHERE t.paper_id = moved.paper_id)
    RETURNING articles.*
)
SELECT *
FROM changed
WHERE changed.id = @id::bigint;

-- name: DeleteArticle :one
-- DeleteArticle deletes an article of a locked paper and closes the gap. It returns the article, how many articles were behind it, and how
-- many of those were moved; no row when there is no such article.
WITH gone AS (
    DELETE FROM articles
    WHERE articles.id = @id
    RETURNING *
), shifted AS (
    UPDATE articles
    SET display_order = articles.display_order - 1
    FROM gone
    WHERE articles.paper_id = gone.paper_id AND articles.display_order > gone.display_order
    RETURNING articles.id
)
SELECT
    gone.*,
    (
        SELECT count(*)
        FROM articles AS t
        WHERE t.paper_id = gone.paper_id AND t.display_order > gone.display_order
    ) AS behind,
    (SELECT count(*) FROM shifted) AS moved
FROM gone;
