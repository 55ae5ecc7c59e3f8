"""Comments over HTTP."""

from api.permissions import USERS
from api.routes import Routes
from commands.social.comment import AddComment, DeleteComment, EditComment
from projections.social.comment import comment, comments_of

routes = Routes(tags=["comments"])
routes.command(
    "/posts/{post_id}/comments", AddComment, status=201, location="/comments/{id}", allow=USERS
)
routes.command("/comments/{comment_id}/edit", EditComment, allow=USERS)
routes.command("/comments/{comment_id}/delete", DeleteComment, allow=USERS)
routes.query("/comments/{comment_id}", comment, allow=USERS)
routes.query("/posts/{post_id}/comments", comments_of, allow=USERS)
