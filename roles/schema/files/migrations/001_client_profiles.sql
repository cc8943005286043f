-- Baseline for a database that belongs to this stack. Where another system owns client_profiles, this file is left out
-- and its table is used as it is.

CREATE TABLE IF NOT EXISTS client_profiles (
    id          SERIAL PRIMARY KEY,
    client_name VARCHAR(255) NOT NULL,
    email       VARCHAR(255),
    timezone    VARCHAR(64) DEFAULT 'UTC',
    preferences JSONB DEFAULT '{}',
    created_at  TIMESTAMP DEFAULT now(),
    updated_at  TIMESTAMP DEFAULT now()
);

COMMENT ON TABLE client_profiles IS 'Whom plans, schedules and events are for';
