-- The keys of an identity provider that the server cannot ask for them, as a JWK Set that the
-- operator gave; NULL where they are fetched.
ALTER TABLE oidc_providers ADD COLUMN jwks TEXT;
