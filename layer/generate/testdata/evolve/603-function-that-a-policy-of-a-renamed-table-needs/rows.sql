CREATE POLICY pol ON t USING (half(id) > 0);
