"""Users over HTTP."""

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
routes.command("/users", RegisterUser, status=201)
routes.command("/users/{user_id}/email", ChangeEmail)
routes.command("/users/{user_id}/username", ChangeUsername)
routes.command("/users/{user_id}/revise", RevisePerson)
routes.command("/users/{user_id}/suspend", SuspendUser)
routes.command("/users/{user_id}/reactivate", ReactivateUser)
routes.command("/users/{user_id}/roles/grant", GrantRole)
routes.command("/users/{user_id}/roles/revoke", RevokeRole)
routes.query("/users", all_users)
routes.query("/users/{user_id}", user)
