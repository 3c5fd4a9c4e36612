CREATE POLICY pol ON t USING (half(id) > 0);
CREATE STATISTICS st ON (third(id)) FROM t;
