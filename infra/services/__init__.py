"""Starts what the services profile needs on a developer's machine, in containers or without.

Every module here whose name has no leading underscore is a service, called as it is called in
`compose.yaml`. It says how to run the service both ways:

    CONTAINER_PORT          the port that its container listens on
    PASSWORD                the password that `compose.yaml` gives it
    start() -> Running      run it from the system's packages, or find it running
    stop() -> bool          stop what `start` started; False when it was not running
    prepare(run)            make what a new server lacks, with its client program; repeatable
    environment(running)    the variables by which Aorist and its tests find it
    container_variables(port)   optional: what `compose.yaml` takes from the environment, given the
                            port of this machine that a running container has

It needs nothing but the standard library, and a failure is an `Unavailable` that says what to do.
"""
