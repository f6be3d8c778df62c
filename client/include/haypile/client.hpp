// Includes everything of the client library.
#pragma once

#include <haypile/channel.hpp>
#include <haypile/connection.hpp>
#include <haypile/error.hpp>
#include <haypile/message.hpp>
#include <haypile/options.hpp>
#include <haypile/version.hpp>
