"""Posts over HTTP."""

from api.routes import Routes
from commands.social.post import CreatePost, DeletePost, EditPost, PublishPost
from projections.social.post import history, post, posts_of

routes = Routes(tags=["posts"])
routes.command("/posts", CreatePost, status=201)
routes.command("/posts/{post_id}/publish", PublishPost)
routes.command("/posts/{post_id}/edit", EditPost)
routes.command("/posts/{post_id}/delete", DeletePost)
routes.query("/posts/{post_id}", post)
routes.query("/posts/{post_id}/history", history)
routes.query("/profiles/{member_id}/posts", posts_of)
