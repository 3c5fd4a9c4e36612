-- name: LoadTracks :copyfrom
INSERT INTO tracks (album_id, name, length_seconds, audio_url, video_url, display_order)
VALUES (@album_id, @name, @length_seconds, @audio_url, @video_url, @display_order);
