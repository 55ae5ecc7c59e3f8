CREATE TABLE {context}.cached (
    projection text  PRIMARY KEY,
    token      bytea NOT NULL, -- a secret, another one whenever not only facts behind the position changed rows
    code       text  NOT NULL  -- the version of the projection that has changed rows since then
)
