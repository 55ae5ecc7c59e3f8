"""Comments over HTTP."""

from api.routes import Routes
from commands.social.comment import AddComment, DeleteComment, EditComment
from projections.social.comment import comment, comments_of

routes = Routes(tags=["comments"])
routes.command("/posts/{post_id}/comments", AddComment, status=201, location="/comments/{id}")
routes.command("/comments/{comment_id}/edit", EditComment)
routes.command("/comments/{comment_id}/delete", DeleteComment)
routes.query("/comments/{comment_id}", comment)
routes.query("/posts/{post_id}/comments", comments_of)
