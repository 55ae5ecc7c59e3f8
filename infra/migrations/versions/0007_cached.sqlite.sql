CREATE TABLE {context}_cached (
    projection TEXT PRIMARY KEY,
    token      BLOB NOT NULL, -- a secret, another one whenever not only facts behind the position changed rows
    code       TEXT NOT NULL  -- the version of the projection that has changed rows since then
) WITHOUT ROWID
