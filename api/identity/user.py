"""Users over HTTP."""

from api.permissions import AUDITOR, EVERYONE, OPERATOR, only, own
from api.routes import Routes
from commands.identity.user import (
    ChangeEmail,
    ChangeUsername,
    GrantRole,
    ReactivateUser,
    RegisterUser,
    RevisePerson,
    RevokeRole,
    SuspendUser,
)
from projections.identity.user import all_users, user

routes = Routes(tags=["users"])
routes.command("/users", RegisterUser, status=201, allow=EVERYONE)
routes.command("/users/{user_id}/email", ChangeEmail, allow=own("user_id", OPERATOR))
routes.command("/users/{user_id}/username", ChangeUsername, allow=own("user_id", OPERATOR))
routes.command("/users/{user_id}/revise", RevisePerson, allow=own("user_id", OPERATOR))
routes.command("/users/{user_id}/suspend", SuspendUser, allow=only(OPERATOR))
routes.command("/users/{user_id}/reactivate", ReactivateUser, allow=only(OPERATOR))
routes.command("/users/{user_id}/roles/grant", GrantRole, allow=only(OPERATOR))
routes.command("/users/{user_id}/roles/revoke", RevokeRole, allow=only(OPERATOR))
routes.query("/users", all_users, allow=only(OPERATOR, AUDITOR))
routes.query("/users/{user_id}", user, allow=own("user_id", OPERATOR, AUDITOR))
