-- name: CreateBook :one
-- CreateBook adds a book and returns it as stored.
INSERT INTO books (title, authors, isbn, details, created_at, updated_at)
VALUES (@title, @authors, @isbn, @details, @created_at, @updated_at)
RETURNING *;

-- name: LoadBooks :copyfrom
-- LoadBooks adds any number of books by COPY, all of them or none, and returns how many.
INSERT INTO books (title, authors, isbn, details, created_at, updated_at)
VALUES (@title, @authors, @isbn, @details, @created_at, @updated_at);

-- name: GetBook :one
-- GetBook returns the book with this id; no row when there is none, or it is deleted.
SELECT *
FROM books
WHERE id = @id AND deleted_at IS NULL;

-- name: GetBookByISBN :one
-- GetBookByISBN returns the book with this ISBN; no row when there is none, or it is deleted.
SELECT *
FROM books
WHERE isbn = @isbn::text AND deleted_at IS NULL;

-- name: UpdateBookDetails :one
-- UpdateBookDetails replaces the details of a book and returns it; no row when there is none, or it is deleted.
UPDATE books
SET details = @details, updated_at = @updated_at
WHERE id = @id AND deleted_at IS NULL
RETURNING *;

-- name: DeleteBook :one
-- DeleteBook hides a book from all queries, and returns it. Its copies and loans stay. No row when there is none, or it is
-- deleted already.
UPDATE books
SET deleted_at = now(), updated_at = @updated_at
WHERE id = @id AND deleted_at IS NULL
RETURNING *;

-- name: ListBooks :many
-- ListBooks returns the books in the order of their titles.
-- +pages
SELECT *
FROM books
WHERE (title, id) > (@after_title::text, @after_id::bigint) AND deleted_at IS NULL
ORDER BY title, id
LIMIT @page_size;

-- name: SearchBooks :many
-- SearchBooks is ListBooks of the books that pass each filter that is given: they are by this author, have these details, were
-- added at or after this time.
-- +pages
-- +plan filters books: each filter may be left out, so none can lead the index; a page ends the walk.
SELECT *
FROM books
WHERE (title, id) > (@after_title::text, @after_id::bigint) AND deleted_at IS NULL
    AND (sqlc.narg(author)::text IS NULL OR sqlc.narg(author) = ANY(authors))
    AND (sqlc.narg(details)::jsonb IS NULL OR details @> sqlc.narg(details))
    AND (sqlc.narg(added_since)::timestamptz IS NULL OR created_at >= sqlc.narg(added_since))
ORDER BY title, id
LIMIT @page_size;

-- name: ListBooksByAuthor :many
-- ListBooksByAuthor returns all books of an author, in the order of their titles.
SELECT *
FROM books
WHERE authors @> ARRAY[@author::text] AND deleted_at IS NULL
ORDER BY title, id;

-- name: ListBooksWithDetails :many
-- ListBooksWithDetails returns all books that have these details, such as {"language": "fr"}, in the order of their titles.
SELECT *
FROM books
WHERE details @> @details::jsonb AND deleted_at IS NULL
ORDER BY title, id;
